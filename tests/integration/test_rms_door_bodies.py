"""Bodies no caller should send, at every RMS door: refused in our words, nothing stored, the door still open."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bridge import Bridge

FIXTURES = Path(__file__).parents[1] / "fixtures/rms"


def read_fixture(name: str) -> dict[str, Any]:
    return dict(json.loads((FIXTURES / f"{name}.json").read_text()))


GOOD = {
    "return_order": read_fixture("return_order__smallest"),
    "notification": read_fixture("notification__return_picked_up"),
    "processing_update": read_fixture("returns_processing_update__mixed"),
}
DOORS = [
    pytest.param("POST", "/rms/return-orders", "return_order", id="return-orders"),
    pytest.param("POST", "/rms/notifications", "notification", id="notifications"),
    pytest.param("POST", "/rms/returns-processing-updates", "processing_update", id="updates-post"),
    pytest.param("PUT", "/rms/returns-processing-updates", "processing_update", id="updates-put"),
]
at_every_door = pytest.mark.parametrize(("method", "path", "topic"), DOORS)
DEEP = 100_000


def dump(topic: str, **changes: Any) -> bytes:
    return json.dumps({**GOOD[topic], **changes}).encode()


def spoil(topic: str, raw: bytes) -> bytes:
    """A good body with a field we do not know, whose value is these bytes."""
    return dump(topic)[:-1] + b', "somethingElse": ' + raw + b"}"


def prove_door_open(bridge: Bridge, method: str, path: str, topic: str) -> None:
    before = bridge.count_events()
    reply = bridge.push(path, dump(topic), method)
    assert (reply.status, reply.body) == (200, b"")
    assert bridge.count_events() == before + 1
    assert bridge.newest_event().topic == topic


def prove_refused(bridge: Bridge, method: str, path: str, body: bytes) -> str:
    before = bridge.count_events()
    reply = bridge.push(path, body, method)
    assert reply.status == 400, (body[:80], reply.status, reply.body[:300])
    told = reply.error()
    assert told["code"] == "BAD_DATA"
    assert told["description"]
    assert bridge.count_events() == before
    return str(told["description"])


WHOLE = {
    "empty": b"",
    "blank": b" \r\n\t",
    "words": b"hello",
    "array": b"[]",
    "array of objects": b'[{"forwardOrderCode": "1"}]',
    "null": b"null",
    "true": b"true",
    "number": b"17",
    "text": b'"{}"',
    "cut short": b'{"forwardOrderCode": "10',
    "two values": b"{} {}",
    "comma at the end": b'{"forwardOrderCode": "1",}',
    "single quotes": b"{'forwardOrderCode': '1'}",
    "brackets never closed": b"[" * DEEP,
    "braces never closed": b'{"a":' * DEEP,
    "brackets closed": b"[" * DEEP + b"]" * DEEP,
    "raw NUL": b'{"forwardOrderCode": "1\x00"}',
    "NUL only": b"\x00" * 100,
    "not UTF-8": b'{"forwardOrderCode": "\xff\xfe"}',
    "cut UTF-8": b'{"forwardOrderCode": "\xe2\x82"}',
    "surrogate in UTF-8": b'{"forwardOrderCode": "\xed\xa0\x80"}',
    "a number of 5000 digits": b'{"forwardOrderCode": ' + b"9" * 5000 + b"}",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
}


@at_every_door
def test_not_an_object_at_all(bridge: Bridge, method: str, path: str, topic: str) -> None:
    for body in WHOLE.values():
        prove_refused(bridge, method, path, body)
    prove_door_open(bridge, method, path, topic)


HIDDEN = {
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "1e999": b"1e999",
    "-1e999": b"[1, -1e999]",
    "NUL": b'"a\\u0000b"',
    "NUL in a key": b'{"a\\u0000b": 1}',
    "high surrogate": b'"\\ud83d"',
    "low surrogate": b'"\\ude00"',
    "surrogates the wrong way round": b'"\\ude00\\ud83d"',
    "surrogate in a key": b'{"\\ud800": 1}',
    "fault below a broken key": b'{"\\ud800": 1e999}',
    "deep": b"[" * DEEP + b"]" * DEEP,
    "65 deep": b"[" * 65 + b"]" * 65,
}


@at_every_door
def test_values_no_column_survives_in_a_field_we_do_not_know(
    bridge: Bridge, method: str, path: str, topic: str
) -> None:
    for value in HIDDEN.values():
        prove_refused(bridge, method, path, spoil(topic, value))
    prove_door_open(bridge, method, path, topic)


@at_every_door
def test_a_fault_is_named_by_its_path(bridge: Bridge, method: str, path: str, topic: str) -> None:
    told = prove_refused(bridge, method, path, spoil(topic, b'{"deep": [1, {"er": "\\u0000"}]}'))
    assert told == "somethingElse.deep[1].er: contains NUL"


MANDATORY = {
    "return_order": ["forwardOrderCode", "returnOrderCode", "locationCode", "orderItems", "awbNumber", "transporter"],
    "notification": ["forwardOrderCode", "notificationType"],
    "processing_update": ["returnOrderCode", "forwardOrderCode", "orderItems"],
}


@at_every_door
@pytest.mark.parametrize("nothing", [{}, "null"], ids=["absent", "null"])
def test_all_that_is_missing_is_named_at_once(bridge: Bridge, method: str, path: str, topic: str, nothing: Any) -> None:
    names = MANDATORY[topic]
    body = dict.fromkeys(names) if nothing else {"unknown": 1}
    told = prove_refused(bridge, method, path, json.dumps(body).encode())
    assert sorted(told.split("; ")) == sorted(f"{name}: required" for name in names)
    prove_door_open(bridge, method, path, topic)


INSIDE = {
    "return_order": ("itemCode", "reason", "channelSkuCode"),
    "processing_update": ("itemCode", "channelSkuCode", "qcStatus"),
}


@pytest.mark.parametrize(("method", "path", "topic"), [door for door in DOORS if "notification" not in str(door.id)])
def test_what_each_item_lacks_is_named_by_its_place(bridge: Bridge, method: str, path: str, topic: str) -> None:
    body = copy.deepcopy(GOOD[topic])
    body["orderItems"] = [*body["orderItems"], {}]
    place = f"orderItems[{len(body['orderItems']) - 1}]"
    told = prove_refused(bridge, method, path, json.dumps(body).encode())
    assert sorted(told.split("; ")) == sorted(f"{place}.{name}: required" for name in INSIDE[topic])


@at_every_door
@pytest.mark.parametrize("wrong", [17, 1.5, True, [], {}, ["108"], {"a": "b"}], ids=repr)
def test_a_code_of_another_type(bridge: Bridge, method: str, path: str, topic: str, wrong: Any) -> None:
    told = prove_refused(bridge, method, path, dump(topic, forwardOrderCode=wrong))
    assert told == "forwardOrderCode: must be text"


@at_every_door
def test_lists_and_objects_swapped(bridge: Bridge, method: str, path: str, topic: str) -> None:
    name = "items" if topic == "notification" else "orderItems"
    for wrong in ({}, "x", 7, [7], ["x"], [None], [[]], True):
        assert prove_refused(bridge, method, path, dump(topic, **{name: wrong})).startswith(name)
    prove_door_open(bridge, method, path, topic)


@pytest.mark.parametrize("name", ["forwardOrderCode", "returnOrderCode", "locationCode", "awbNumber", "transporter"])
def test_codes_over_255_characters_of_a_return_order(bridge: Bridge, name: str) -> None:
    told = prove_refused(bridge, "POST", "/rms/return-orders", dump("return_order", **{name: "x" * 256}))
    assert told == f"{name}: longer than 255 characters"
    longest = {**GOOD["return_order"], name: "é" * 255}
    assert bridge.push("/rms/return-orders", json.dumps(longest).encode()).status == 200


@pytest.mark.parametrize("name", ["itemCode", "channelSkuCode"])
def test_item_codes_over_255_characters(bridge: Bridge, name: str) -> None:
    item = {**GOOD["return_order"]["orderItems"][0], name: "x" * 256}
    told = prove_refused(bridge, "POST", "/rms/return-orders", dump("return_order", orderItems=[item]))
    assert told == f"orderItems[0].{name}: longer than 255 characters"


@at_every_door
def test_odd_but_good_bodies_are_taken(bridge: Bridge, method: str, path: str, topic: str) -> None:
    doubled = dump(topic)[:-1] + b', "forwardOrderCode": "108"}'
    unknown = spoil(
        topic, b'{"any": [1, null, {"thing": "\\ud83d\\ude00 \xc3\xa9"}], "64": ' + b"[" * 62 + b"]" * 62 + b"}"
    )
    large = spoil(topic, b'"' + b"x" * 5_000_000 + b'"')
    spaced = b"\r\n " + dump(topic) + b"\n" * 1000
    for body in (doubled, unknown, large, spaced):
        before = bridge.count_events()
        reply = bridge.push(path, body, method)
        assert (reply.status, reply.body) == (200, b""), reply.body[:300]
        assert bridge.count_events() == before + 1
