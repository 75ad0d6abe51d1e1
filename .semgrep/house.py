"""Planted faults: each rule must find the lines marked so, and no other."""
# ruff: noqa

# ruleid: egress-only-through-the-door
import requests

# ok: egress-only-through-the-door
from core.http import HttpDoor


def planted(session, logger, query, request, body, token, shop, password, row, answer):
    # ruleid: egress-only-through-the-door
    socket.create_connection(("a", 1))
    # ruleid: no-careless-tls-or-redirect
    door.send("GET", "u", verify=False)
    # ok: no-careless-tls-or-redirect
    door.send("GET", "u", allow_redirects=False)
    # ruleid: tenant-only-from-what-was-verified
    find_shop(session, request.args.get("shop"))
    # ruleid: tenant-only-from-what-was-verified
    query.where(Event.shop_id == int(request.args["shop_id"]))
    # ok: tenant-only-from-what-was-verified
    query.where(Event.shop_id == current_shop_id())
    # ruleid: no-sql-from-strings
    session.execute(text(f"SELECT {body}"))
    # ruleid: no-sql-from-strings
    session.execute("SELECT " + body)
    # ok: no-sql-from-strings
    session.execute(text("SELECT 1"))
    # ruleid: no-payload-in-logs
    logger.info("got %s", body)
    # ruleid: no-payload-in-logs
    logger.warning("refused %s", shop.access_token)
    # ruleid: no-payload-in-logs
    logger.info(f"got {body}")
    # ok: no-payload-in-logs
    logger.info("event %s", row.id)
    # ruleid: secrets-compared-in-constant-time
    if password == row.password:
        pass
    # ruleid: nothing-unpickled-or-evaluated
    pickle.loads(body)
    # ok: nothing-unpickled-or-evaluated
    read_object(body)
