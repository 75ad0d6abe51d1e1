"""A runnable stand-in for Shopify's Admin API, its webhooks and its tokens."""

from simulators.shopify.base import Refused
from simulators.shopify.simulator import TOPICS, ShopifySimulator

__all__ = ["TOPICS", "Refused", "ShopifySimulator"]
