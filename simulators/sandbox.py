"""All stand-ins together in one process, on real sockets."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

from simulators.control import Control
from simulators.oms import OmsSimulator
from simulators.partner import PartnerSimulator
from simulators.rms import RmsSimulator
from simulators.serving import Served, serve
from simulators.shopify import ShopifySimulator

Json = dict[str, Any]
SYSTEMS = ("control", "shopify", "oms", "rms", "partner")
# What the bridge must be configured with to reach this OMS.
OMS_USERNAME, OMS_PASSWORD = "sandbox-oms", "sandbox-oms-password"
REPLACEMENT_TAGS = ["increff_exchange", "increff_hold"]


class Sandbox:
    """Shopify, OMS, RMS and a partner around one app. `ports` names fixed ports per system; else free ones."""

    def __init__(
        self,
        app_url: str,
        api_key: str,
        api_secret: str,
        shop: str = "exchange-demo.myshopify.com",
        ports: dict[str, int] | None = None,
        host: str = "127.0.0.1",
        scopes: tuple[str, ...] | None = None,
    ) -> None:
        self.shop, self.host, self.ports, self.scopes = shop, host, ports or {}, scopes
        self.shopify = ShopifySimulator(api_key, api_secret, app_url)
        self.oms = OmsSimulator(OMS_USERNAME, OMS_PASSWORD, bridge_url=app_url)
        self.rms = RmsSimulator(app_url)
        self.partner = PartnerSimulator()
        self.control = Control(self)
        self._served: dict[str, Served] = {}
        self._exchanges = 0
        self._lock = threading.Lock()
        self.access_token = self.shopify.add_shop(shop, scopes=scopes)

    def start(self) -> Self:
        try:
            for name in SYSTEMS:
                self._served[name] = serve(getattr(self, name).wsgi, self.ports.get(name, 0), self.host)
        except OSError:
            self.close()
            raise
        return self

    def close(self) -> None:
        self.shopify.close()
        for served in self._served.values():
            served.close()
        self._served.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def shopify_url(self) -> str:
        """The stand-in's base; `{shopify_url}/{shop}` is that shop's Admin."""
        return self._served["shopify"].url

    @property
    def oms_url(self) -> str:
        return self._served["oms"].url

    @property
    def rms_url(self) -> str:
        return self._served["rms"].url

    @property
    def partner_url(self) -> str:
        return self._served["partner"].url

    @property
    def control_url(self) -> str:
        return self._served["control"].url

    def addresses(self) -> Json:
        return {name: served.url for name, served in self._served.items()}

    def connect_bridge(
        self,
        rms_username: str,
        rms_password: str,
        oms_username: str | None = None,
        oms_password: str | None = None,
        domain: str | None = None,
    ) -> None:
        """The credentials the app gave out. OMS takes those of RMS unless it has its own."""
        self.rms.connect(rms_username, rms_password, domain)
        if oms_username is not None:
            self.oms.connect(oms_username, oms_password or "", domain)
        elif not self.oms.bridge.connected:
            self.oms.connect(rms_username, rms_password, domain)

    def reset(self) -> None:
        """All data forgotten; addresses, credentials and the shop's access token stay."""
        for system in (self.shopify, self.oms, self.rms, self.partner):
            system.reset()
        self.shopify.add_shop(self.shop, self.access_token, self.scopes)

    def new_exchange(self, units: int = 1) -> Json:
        """A customer wants another size: the first order, its return at RMS, and the held replacement order."""
        with self._lock:
            self._exchanges += 1
            number = self._exchanges
        code = f"RET-{number}"
        items = [
            {"itemCode": f"{code}-{n}", "sku": f"SHIRT-M-{n}", "reason": "Different Size"} for n in range(1, units + 1)
        ]
        first = self.shopify.create_order(self.shop, line_items=[{"sku": item["sku"]} for item in items])
        replacement = self.shopify.create_order(
            self.shop,
            tags=REPLACEMENT_TAGS,
            note_attributes={"return_order_code": code},
            line_items=[{"sku": item["sku"].replace("-M-", "-L-")} for item in items],
        )
        status, answer = self.rms.push_return(code, str(first["id"]), items)
        return {"returnOrderCode": code, "original": first, "replacement": replacement, "push": [status, answer]}
