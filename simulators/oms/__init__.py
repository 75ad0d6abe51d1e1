"""A runnable stand-in for Increff OMS ("Omni") with the rules of its public pages."""

from simulators.oms.refusal import RefusalError
from simulators.oms.simulator import OmsSimulator

__all__ = ["OmsSimulator", "RefusalError"]
