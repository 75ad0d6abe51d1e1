"""The daily look at each shop's connection: renews tokens nobody used, finds scopes and versions that changed."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import NeedsSettings
from core.flows.installations import keep_scopes, keep_version
from core.flows.privacy import end_data_requests
from core.models import Shop
from core.registry import Duty
from core.runtime import Runtime
from shopify_app import queries
from shopify_app.client import AdminClient
from shopify_app.topics import API_VERSION, SCOPES

EVERY_SECONDS = 24 * 3600.0  # a refresh token that is not used for 90 days is lost


@dataclass(frozen=True)
class ConnectionWatch:
    """Asks Shopify which scopes the app has; the call itself renews a token that is over."""

    runtime: Runtime
    client: AdminClient

    def take_turn(self, shop_id: int) -> None:
        """One shop. Raises Fault when it cannot be reached, NeedsSettings when somebody has to open the app."""
        with self.runtime.database.write() as session:
            end_data_requests(session, shop_id)
        found = self.client.query(shop_id, queries.READ_APP)["currentAppInstallation"]
        granted = [scope["handle"] for scope in found["accessScopes"]]
        with self.runtime.database.write() as session:
            keep_scopes(session, session.get_one(Shop, shop_id), granted, SCOPES)
            keep_version(session, shop_id, self.client.find_version(shop_id), API_VERSION)


def check_connection(runtime: Runtime, shop_id: int) -> str:
    """For `doctor`: that Shopify is reached and the app may do all it has to. Raises Fault."""
    found = AdminClient(runtime).query(shop_id, queries.READ_APP)["currentAppInstallation"]
    granted = {scope["handle"] for scope in found["accessScopes"]}
    implied = granted | {one.replace("write_", "read_", 1) for one in granted}
    missing = sorted(set(SCOPES) - implied)
    if missing:
        raise NeedsSettings(f"the scopes {', '.join(missing)} are missing: open the app in Shopify and approve them")
    return "reached, all scopes granted"


def register_connection_watch(runtime: Runtime) -> None:
    """Enter the duty."""
    watch = ConnectionWatch(runtime, AdminClient(runtime))
    duty = Duty("connection", EVERY_SECONDS, watch.take_turn, modes=("live", "observe", "paused"), at_start=True)
    runtime.registry.duties.append(duty)
