"""Launches real processes of the product, quickly: it imports the product once and forks a process for each command.

`python -m tests.crash.launch SOCKET` listens; each line it gets is an order, answered with the new process's id.
`python -m tests.crash.launch --alone ARGUMENT…` is one process without the fork, for the product's own children.
Each process then runs `flask --app app ARGUMENT…` as an operator would.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import dotenv  # noqa: F401 - loaded once, before any fork, as what follows
import psycopg  # noqa: F401
import time_machine
import uvicorn.loops.auto
import uvicorn.protocols.http.auto  # noqa: F401

import app  # noqa: F401 - as above
from tests.crash.arming import make_hook
from tests.crash.compress import compress
from tests.crash.parent import die_with_parent
from tests.crash.plants import PLANTS


def become(arguments: list[str]) -> NoReturn:
    """Be `flask --app app …` from here on."""
    from flask.cli import main

    from core.failpoints import arm

    if not os.environ.get("CRASH_REAL_TIMES"):
        compress()
    if os.environ.get("CRASH_FOLDER"):
        arm(make_hook(Path(os.environ["CRASH_FOLDER"])))
    if os.environ.get("CRASH_SKEW"):
        set_clock_wrong(float(os.environ["CRASH_SKEW"]))
    for name in filter(None, os.environ.get("CRASH_PLANT", "").split(",")):
        PLANTS[name]()
    os.environ["PGAPPNAME"] = f"rb-{os.getpid()}"
    random.seed()
    sys.argv = ["flask", "--app", "app", *arguments]
    main()
    raise SystemExit(0)


def set_clock_wrong(seconds: float) -> None:
    """This process's wall clock, as all its Python code and libraries see it; the monotonic one is left alone."""
    time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True).start()


def fork(order: dict[str, Any]) -> int:
    """A new process for one order: arguments, environment, log file. Returns its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        die_with_parent()
        os.environ.update(order["environment"])
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(log, number)
        if order.get("output"):
            os.dup2(os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
        become(order["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it was, the child must not become a second launcher
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        if order.get("output"):
            Path(order["output"] + ".code").write_text(str(code))
        import atexit

        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        os._exit(code)


def reap() -> None:
    """Let ended children go, so that their ids say that they are gone."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def listen(path: str) -> None:
    """Take orders until the harness hangs up."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen()
        caller, _ = door.accept()
        door.close()
        caller.settimeout(0.05)
        waiting = b""
        while True:
            reap()
            try:
                got = caller.recv(65536)
            except TimeoutError:
                continue
            if not got:
                return
            waiting += got
            while b"\n" in waiting:
                line, _, waiting = waiting.partition(b"\n")
                caller.sendall(b"%d\n" % fork(json.loads(line)))


if __name__ == "__main__":
    if sys.argv[1] == "--alone":
        become(sys.argv[2:])
    die_with_parent()
    gc.freeze()  # or each child's first collection would copy all of it
    listen(sys.argv[1])
