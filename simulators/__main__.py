"""`python -m simulators`: all stand-ins on fixed ports until told to stop."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading

from simulators.sandbox import OMS_PASSWORD, OMS_USERNAME, SYSTEMS, Sandbox

log = logging.getLogger("simulators")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators", description=__doc__)
    parser.add_argument("--app-url", required=True, help="where Returnbridge listens")
    parser.add_argument("--api-key", required=True, help="the Shopify app's API key")
    parser.add_argument("--api-secret", required=True, help="the Shopify app's API secret")
    parser.add_argument("--shop", default="exchange-demo.myshopify.com")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port-base", type=int, default=9100, help="control; shopify, oms, rms and partner follow")
    return parser.parse_args()


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    given = read_arguments()
    ports = {name: given.port_base + offset for offset, name in enumerate(SYSTEMS)}
    sandbox = Sandbox(given.app_url, given.api_key, given.api_secret, given.shop, ports, given.host)
    try:
        sandbox.start()
    except OSError as error:
        print(f"cannot listen on {given.host}, ports from {given.port_base}: {error}", file=sys.stderr)
        return 1
    announce(sandbox)
    stop.wait()
    sandbox.close()
    log.info("stopped")
    return 0


def announce(sandbox: Sandbox) -> None:
    """One JSON line with all an app needs to reach the set."""
    oms = {"auth_username": OMS_USERNAME, "auth_password": OMS_PASSWORD}
    line = {**sandbox.addresses(), "shop": sandbox.shop, "access_token": sandbox.access_token, "oms_credential": oms}
    print(json.dumps(line), flush=True)
    log.info("control page at %s", sandbox.control_url)


if __name__ == "__main__":
    sys.exit(main())
