"""Nothing a stranger says begins a line of the log or steers the terminal that shows it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest

from core.logs import configure_logs, log_incident

HOSTILE = [
    "a\n2026-01-01 00:00:00 INFO core  all is well",
    "a\r\nb",
    "a\rb",
    "\x1b[2J\x1b[31mred",
    "\x9b31m",
    "\x00\x07\x08\x7f",
    "line\u2028separator",
    "\u202eright to left",
    "a\x0bb\x0cc\x85d",
]


@pytest.fixture(params=["text", "json"])
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is logged, in one of the forms."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logs(request.param, "INFO")
    written = io.StringIO()
    root.handlers[0].setStream(written)  # type: ignore[attr-defined] # a StreamHandler
    written.form = request.param  # type: ignore[attr-defined] # told to the test
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)


def prove_plain(text: str) -> None:
    assert text.endswith("\n")
    assert all(one == "\n" or (one.isprintable() and one.isascii()) for one in text), ascii(text)


@pytest.mark.parametrize("said", HOSTILE, ids=ascii)
def test_a_message_is_one_line_of_printable_text(lines: io.StringIO, said: str) -> None:
    logging.getLogger("core").info("event %s: %s", 7, said)
    logging.getLogger("core").warning(said)
    logging.getLogger(said).error("x")
    prove_plain(lines.getvalue())
    assert lines.getvalue().count("\n") == 3


@pytest.mark.parametrize("said", HOSTILE, ids=ascii)
def test_a_traceback_forges_no_line(lines: io.StringIO, said: str) -> None:
    try:
        raise ValueError(said)
    except ValueError:
        log_incident(logging.getLogger("core"), said)
    prove_plain(lines.getvalue())
    for line in lines.getvalue().splitlines()[1:]:
        assert line.startswith("  | ")


def test_the_json_form_is_one_object_a_line(lines: io.StringIO) -> None:
    if lines.form == "text":  # type: ignore[attr-defined] # set above
        return
    for said in HOSTILE:
        logging.getLogger("core").info(said)
    assert [json.loads(line)["message"] for line in lines.getvalue().splitlines()] == HOSTILE


def test_a_line_says_when_in_a_time_that_needs_no_guessing(lines: io.StringIO) -> None:
    logging.getLogger("core").info("x")
    text = lines.getvalue()
    at = json.loads(text)["at"] if text.startswith("{") else text[:24]
    assert datetime.fromisoformat(at).utcoffset() is not None
