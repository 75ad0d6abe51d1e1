"""`python -m simulators.demo`: the whole product on one machine, one exchange that passes QC and one that fails.

Starts the stand-ins and the product, plays both exchanges on the terminal, measures, and with `--stay` keeps running.
Ends with 0 only if both exchanges ended as they must.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import statistics
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulators.product import Product, find_port
from simulators.sandbox import OMS_PASSWORD, OMS_USERNAME, SYSTEMS, Sandbox

Json = dict[str, Any]
_WAIT_SECONDS = 30.0
_MEASURED = 9
_LIMIT_SECONDS = 2.0


class Demo:
    """The sandbox, the product, and the story told about them."""

    def __init__(self, folder: Path, fixed_ports: bool) -> None:
        key, secret = "sandbox-api-key", secrets.token_hex(24)
        ports = {name: find_port(9100 + n if fixed_ports else 0) for n, name in enumerate(SYSTEMS)}
        port = find_port(8000 if fixed_ports else 0)
        declared = tomllib.loads(Path("shopify.app.toml").read_text(encoding="utf-8"))
        scopes = tuple(declared["access_scopes"]["scopes"].split(","))
        self.sandbox = Sandbox(f"http://127.0.0.1:{port}", key, secret, ports=ports, scopes=scopes)
        subscriptions = declared.get("webhooks", {}).get("subscriptions", [])
        self.sandbox.shopify.topics = {topic for one in subscriptions for topic in list_topics(one)}
        self.sandbox.shopify.open_shop("second-demo.myshopify.com", scopes).installed = False
        self.sandbox.start()
        self.product = Product(folder, port, self.sandbox.shopify_url, key, secret)

    def prepare(self) -> None:
        """What an operator does once: tables, shop, settings, processes."""
        product, sandbox = self.product, self.sandbox
        step("database", product.command("db", "upgrade").strip())
        token = sandbox.access_token
        added = json.loads(product.command("shops", "add", sandbox.shop, "--access-token", token))
        sandbox.connect_bridge(added["rms"]["authUsername"], added["rms"]["authPassword"])
        step("shop", f"{added['shop']} added; RMS calls the bridge as {added['rms']['authUsername']}")
        product.configure(sandbox.shop, self.make_settings())
        step("settings", "saved: the app acts on verdicts, no cooling-off, OMS and one partner connected")
        product.start()
        step("processes", "web, worker and sweeper are up; SQLite, embedded Valkey")

    def make_settings(self) -> Json:
        """The settings document of the sandbox's shop."""
        partner = {"name": "returns_prime", "kind": "returns_prime", "url": f"{self.sandbox.partner_url}/returns-prime"}
        return {
            "mode": "live",
            "cancel": {"cooling_off_minutes": 0},
            "oms": {
                "base_url": self.sandbox.oms_url,
                "auth_username": OMS_USERNAME,
                "auth_password": OMS_PASSWORD,
                "default_location": "Wid234",
            },
            "partners": [{**partner, "headers": {"x-rp-token": "sandbox-partner-token"}, "events": ["qc"]}],
        }

    def play(self, verdict: str, tell: Callable[[str, str], None]) -> float:
        """One exchange, told step by step. Returns the seconds from the verdict's 200 to OMS's knowledge of the end."""
        made = self.sandbox.new_exchange()
        code, order = made["returnOrderCode"], made["replacement"]["id"]
        forward, item = str(made["original"]["id"]), f"{code}-1"
        tell("customer", f"wants another size: return {code}, replacement order {made['replacement']['name']} on hold")
        self.wait(lambda: (self.oms(order) or {}).get("on_hold") is True, "OMS to know the held order")
        self.wait(lambda: self.sandbox.oms.return_order(code) is not None, "OMS to expect the return")
        self.tell_state(tell, order, code)
        goods = [{"itemId": item, "sku": "SHIRT-M-1", "quantity": 1}]
        for status in ("RETURN_PICKED_UP", "DELIVERED"):
            self.sandbox.rms.notify(code, forward, status, goods)
            tell("RMS", f"the parcel is {status}")
            self.wait(lambda status=status: self.return_status(code) == status, f"OMS to hear {status}")  # type: ignore[misc]
        reason = None if verdict == "PASS" else "STAIN_DAMAGE"
        said = [{"itemCode": item, "sku": "SHIRT-M-1", "status": verdict, "reason": reason}]
        answer = self.sandbox.rms.send_verdict(code, forward, said)
        began = time.monotonic()
        if answer[0] != 200:
            raise RuntimeError(f"the bridge answered the verdict with {answer}")
        tell("RMS", f"QC says {verdict}" + (f" ({reason})" if reason else ""))
        self.wait(lambda: self.is_ended(order, verdict), f"the {verdict} to reach Shopify and OMS")
        seconds = time.monotonic() - began
        self.tell_state(tell, order, code)
        return seconds

    def is_ended(self, order: int, verdict: str) -> bool:
        """True once Shopify and OMS both say what the verdict demands."""
        in_shopify, in_oms = self.sandbox.shopify.order(self.sandbox.shop, order), self.oms(order) or {}
        if verdict == "PASS":
            return "increff_hold" not in in_shopify["tags"] and in_oms.get("on_hold") is False
        return in_shopify["cancelled_at"] is not None and bool(in_oms.get("cancelled")) and bool(in_oms.get("on_hold"))

    def oms(self, order: int) -> Json | None:
        """What OMS says of an order."""
        return self.sandbox.oms.order(str(order))

    def return_status(self, code: str) -> str | None:
        """What OMS says of a return."""
        found = self.sandbox.oms.return_order(code)
        return found["status"] if found else None

    def tell_state(self, tell: Callable[[str, str], None], order: int, code: str) -> None:
        """What each system says now."""
        in_shopify, in_oms = self.sandbox.shopify.order(self.sandbox.shop, order), self.oms(order) or {}
        end = f"cancelled at {in_shopify['cancelled_at']}" if in_shopify["cancelled_at"] else "open"
        tell("  Shopify", f"{in_shopify['name']}: {end}, tags: {', '.join(in_shopify['tags'])}")
        cancelled = f", cancelled pieces: {sum(in_oms['cancelled'].values())}" if in_oms.get("cancelled") else ""
        tell("  OMS", f"order {'ON HOLD' if in_oms.get('on_hold') else 'free to ship'}{cancelled}; "
             f"return {code}: {self.return_status(code)}")  # fmt: skip
        verdicts = [mail["body"]["orderItems"][0]["qcStatus"] for mail in self.find_mail(code)]
        tell(
            "  partner", f"was told QC {verdicts[0]}, {len(verdicts)} time(s)" if verdicts else "has heard nothing yet"
        )

    def find_mail(self, code: str) -> list[Json]:
        """What the partner received about a return."""
        return [mail for mail in self.sandbox.partner.received if mail["body"].get("returnOrderCode") == code]

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds; fails loudly when it does not."""
        end = time.monotonic() + _WAIT_SECONDS
        while not holds():
            dead = self.product.find_dead()
            if dead or time.monotonic() > end:
                cause = f"{', '.join(dead)} ended" if dead else f"{_WAIT_SECONDS:.0f} s passed"
                raise RuntimeError(f"waited for {what}: {cause}; logs are in {self.product.folder}")
            time.sleep(0.005)

    def check_ends(self) -> list[str]:
        """What is not as it must be after all exchanges, by the product's own lists and the stand-ins' books."""
        faults = [f"effect {one['id']} {one['kind']} is {one['state']}: {one['reason']}"
                  for one in self.product.list("effects") if one["state"] not in ("done", "superseded")]  # fmt: skip
        faults += [f"event {one['id']} {one['topic']} ended {one['outcome']}: {one['reason']}"
                   for one in self.product.list("events") if one["outcome"] not in ("handled", "ignored")]  # fmt: skip
        for one in self.product.list("exchanges"):
            told = len(self.find_mail(one["return_order_code"]))
            if told != 1:
                faults.append(f"the partner was told {told} times of {one['return_order_code']}")
        return faults

    def close(self) -> None:
        """End everything."""
        self.product.stop()
        self.sandbox.close()


def list_topics(subscription: Json) -> list[str]:
    """The topics of one subscription of `shopify.app.toml`."""
    return [*subscription.get("topics", []), *subscription.get("compliance_topics", [])]


def step(who: str, what: str) -> None:
    """One line of the story."""
    print(f"{who:>10}  {what}", flush=True)


def be_silent(_who: str, _what: str) -> None:
    """For exchanges that are only measured."""


def tell_story(demo: Demo) -> bool:
    """Play, measure, check. True when everything ended as it must."""
    print("\nAn exchange whose return passes QC\n")
    passed = [demo.play("PASS", step)]
    print("\nAn exchange whose return fails QC\n")
    failed = demo.play("FAIL", step)
    passed += [demo.play("PASS", be_silent) for _ in range(_MEASURED - 1)]
    median = statistics.median(passed)
    demo.wait(lambda: all(one["outcome"] for one in demo.product.list("events")), "all webhooks to be thought about")
    faults = demo.check_ends()
    states = sorted((one["order"], one["state"]) for one in demo.product.list("exchanges"))
    print()
    step("measured", f"verdict accepted -> OMS unheld: median {median:.2f} s over {len(passed)} exchanges (limit 2 s)")
    step("measured", f"verdict accepted -> Shopify cancelled and OMS told: {failed:.2f} s")
    expected = ["cancelled"] + ["released"] * _MEASURED
    if sorted(state for _, state in states) != expected:
        faults.append(f"exchanges ended as {states}")
    if median >= _LIMIT_SECONDS:
        faults.append(f"the median of {median:.2f} s is not under {_LIMIT_SECONDS:.0f} s")
    for fault in faults:
        step("WRONG", fault)
    step("result", "both exchanges ended as they must" if not faults else f"{len(faults)} fault(s)")
    return not faults


def stay(demo: Demo) -> None:
    """Keep everything running until told to stop."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    print()
    step("app", f"{demo.product.url}/readyz")
    step("admin", f"{demo.sandbox.shopify_url}/{demo.sandbox.shop}/admin  (the app inside a stand-in Shopify admin)")
    step("sandbox", f"{demo.sandbox.control_url}  (press QC pass, QC fail, new exchange; see what each system says)")
    step("logs", str(demo.product.folder))
    step("stop", "Ctrl-C")
    stop.wait()


def main() -> int:
    """Read the arguments and tell the story."""
    parser = argparse.ArgumentParser(prog="python -m simulators.demo", description=__doc__)
    parser.add_argument("--stay", action="store_true", help="keep running afterwards, on ports 8000 and 9100 to 9104")
    parser.add_argument("--folder", type=Path, default=Path("instance/sandbox"), help="emptied at the start")
    given = parser.parse_args()
    demo = Demo(given.folder.absolute(), fixed_ports=given.stay)
    try:
        demo.prepare()
        well = tell_story(demo)
        if given.stay:
            stay(demo)
    except (RuntimeError, KeyboardInterrupt) as error:
        step("stopped", str(error) or "by you")
        well = False
    finally:
        demo.close()
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
