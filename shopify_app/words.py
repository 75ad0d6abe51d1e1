"""The product's states and codes in a merchant's words: what they mean, and who acts next (docs/outcomes.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.domain.exchange import State
from shopify_app.labels import LABELS

EXCHANGE_STATES = {
    "awaiting_return": "Waiting for a return",
    "awaiting_goods": "Waiting for the goods",
    "awaiting_verdict": "Waiting for QC",
    "releasing": "Being released",
    "released": "Released",
    "cancelling": "Being cancelled",
    "cancelled": "Cancelled",
    "partly_cancelled": "Partly cancelled",
    "review": "Needs you",
    "overridden": "Decided by hand",
}
OUTCOMES = {
    "waiting": "Waiting",
    "handled": "Handled",
    "ignored": "Nothing to do",
    "unknown": "Not understood",
    "parked": "Parked",
}
EFFECT_STATES = {
    "pending": "To be done",
    "sending": "Being done",
    "done": "Done",
    "parked": "Parked",
    "superseded": "No longer wanted",
    "dropped": "Dropped",
    "would_have": "Only observed",
}
KINDS = {
    "oms.create_order": "Create the order in OMS",
    "oms.unhold_order": "Free the order in OMS",
    "oms.hold_order": "Hold the order in OMS",
    "oms.cancel_lines": "Cancel items in OMS",
    "oms.expect_return": "Announce the return to OMS",
    "oms.update_return": "Update the return in OMS",
    "shopify.tag_order": "Change the order's tags",
    "shopify.hold_order": "Hold fulfillment in Shopify",
    "shopify.release_order": "Lift our fulfillment hold",
    "shopify.cancel_lines": "Cancel lines in Shopify",
    "shopify.cancel_order": "Cancel the order in Shopify",
    "partner.report_qc": "Report QC to the partner",
    "partner.forward_return": "Pass the return on to the partner",
}
SOURCES = {
    "shopify": "Shopify",
    "rms": "RMS",
    "oms": "OMS",
    "reconcile": "Looked up in Shopify",
    "settings": "Settings",
}
FINDINGS = {
    "missed_change": "A change in Shopify was missed",
    "order_gone": "Shopify no longer shows the order",
    "held_again": "The order is on hold again",
    "oms_unheld": "OMS may send out an order that is on hold",
    "oms_held": "OMS holds an order that is free",
    "oms_not_cancelled": "OMS has not cancelled what is cancelled",
    "oms_missing": "OMS does not know the order",
    "oms_cancelled_more": "OMS cancelled more than Shopify",
    "line_not_cut": "A failed line is still in the order",
    "hold_missing": "Our fulfillment hold is missing",
    "hold_left": "Our fulfillment hold was left behind",
    "act_lost": "A release or cancel does not move",
    "unlinked_order": "An order on hold has no return",
    "unlinked_verdict": "A verdict belongs to no exchange",
    "needs_reauth": "Shopify refuses us: open the app again",
    "scopes_missing": "The app lacks permissions",
    "api_version": "Shopify answers with another version",
    "data_request": "A customer asks for their data",
}
RESULTS = {
    "done": "Done",
    "waiting": "Started, not finished there",
    "absent": "Looked: not there",
    "transient": "Not reached",
    "throttled": "Asked to wait",
    "ambiguous": "No clear answer",
    "interrupted": "Interrupted",
    "permanent": "Refused",
    "accessrefused": "Access refused",
    "needssettings": "A setting is missing",
    "gone": "Address switched off",
}
_TONES = {
    "released": "success",
    "handled": "success",
    "done": "success",
    "review": "warning",
    "parked": "warning",
    "unknown": "warning",
    "cancelled": "critical",
    "partly_cancelled": "critical",
    "cancelling": "critical",
    "releasing": "info",
    "sending": "info",
    "pending": "info",
    "waiting": "info",
}
# state -> who is to act next
NEXT = {
    State.AWAITING_RETURN: "RMS: it has told us of no return for this order yet.",
    State.AWAITING_GOODS: "The carrier: the parcel is on its way to the warehouse.",
    State.AWAITING_VERDICT: "The warehouse: its quality control has not judged every unit yet.",
    State.RELEASING: "Nobody: the hold is being lifted.",
    State.CANCELLING: "Nobody: the order is being cancelled. Until that is sent, you can stop it.",
    State.REVIEW: "You: decide below.",
    State.RELEASED: "Nobody: the order is free.",
    State.CANCELLED: "Nobody: a cancel cannot be undone.",
    State.PARTLY_CANCELLED: "Nobody: the failed lines are gone, the rest is free.",
    State.OVERRIDDEN: "Nobody: somebody decided this in Shopify.",
}
# code -> what more can be done about it
ADVICE = {
    "verdict_overdue": "Ask the warehouse for the missing verdicts, or decide.",
    "partner_overdue": "Ask the returns partner why it has not acted, or decide.",
    "held_too_long": "It is on hold for longer than your settings allow.",
    "return_ended": "The return was declined, cancelled or lost: release the order, cancel it, or link another return.",
    "never_held": "Put the hold tag on in Shopify, or release the order.",
    "in_order_exchange": "Edit the lines in Shopify, then release.",
    "changed_too_late": "Look at the goods before you decide.",
}
EMPTY = "–"


def find_words(state: str | None) -> str:
    """A state, outcome, kind or result in words; one without words as it is."""
    spelled = state or "waiting"
    for table in (EXCHANGE_STATES, EFFECT_STATES, OUTCOMES, KINDS, RESULTS, SOURCES, FINDINGS):
        if spelled in table:
            return table[spelled]
    return spelled.replace("_", " ")


def find_tone(state: str | None) -> str:
    """The colour of a state's badge."""
    return _TONES.get(state or "waiting", "neutral")


def find_label(path: str) -> str:
    """What the settings page calls the field of a form path."""
    parts = [part for part in path.split(".") if not part.isdecimal()]
    label = LABELS.get(".".join(parts), (path, ""))[0]
    number = next((int(part) + 1 for part in path.split(".") if part.isdecimal()), None)
    return f"Partner {number}: {label}" if number else label


def show_value(value: Any) -> str:
    """A setting's value as text; shortened, for it may be anything."""
    if value is None or value in ("", [], {}):
        return EMPTY
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def retell(text: str) -> str:
    """A line of the timeline, its first word in a merchant's: a kind of change, or a state."""
    first, _, rest = text.partition(" ")
    known = find_words(first.removesuffix(":"))
    if first in KINDS:
        return f"{known}: {rest.partition(': {')[0]}"  # the wanted end stands on the effect's own page
    return f"{known}: {rest}" if first.removesuffix(":") in EXCHANGE_STATES else text


def show_span(since: datetime, now: datetime) -> str:
    """How long something has lasted: `3 days`, `5 hours`, `12 minutes`."""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "a moment"
