"""Commands that run for long: the web server, workers, the sweeper; and the database's tables."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from rq import SimpleWorker

from core import migrations
from core.relay.duties import bring_forward
from core.relay.jobs import sweep, work
from core.runtime import Runtime

SWEEP_SECONDS = 2.0
MODESTY = 10  # niceness of a worker: where it shares a machine with the web server, a caller goes first
_REPLACE_SECONDS = 1.0
_GROUP_TRIES, _GROUP_SECONDS = 20, 0.15
_AUTOGROUP = Path("/proc/self/autogroup")
_SELF = (sys.executable, "-m", "flask", "--app", "app")

logger = logging.getLogger(__name__)


def make_commands(runtime: Runtime, asgi_target: str) -> list[click.Command]:
    """The commands over a runtime. `asgi_target` names the factory of the ASGI app: `module:function`."""
    return [_make_db(runtime), _make_worker(runtime), _make_sweep(runtime), _make_web(asgi_target)]


def _make_db(runtime: Runtime) -> click.Group:
    @click.group("db", help="The database's tables.")
    def group() -> None: ...

    @group.command("upgrade", help="Bring the tables to the newest migration.")
    def upgrade() -> None:
        migrations.upgrade(runtime.database)
        click.echo(f"tables are at {migrations.read_revision(runtime.database)}")

    @group.command("current", help="Say at which migration the tables are.")
    def current() -> None:
        click.echo(migrations.read_revision(runtime.database) or "empty")

    @group.command("check", help="Fail when the tables differ from what this release expects.")
    def check() -> None:
        differences = migrations.find_differences(runtime.database)
        if differences:
            raise click.ClickException("the tables differ: " + "; ".join(str(one[0]) for one in differences))
        click.echo("the tables are as this release expects")

    return group


def _make_worker(runtime: Runtime) -> click.Command:
    @click.command("worker", help="Think about events and carry effects out.")
    @click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64))
    @click.option("--burst", is_flag=True, help="End when nothing is due.")
    def command(processes: int, burst: bool) -> None:
        _end_on_sigterm()  # until rq listens for itself
        with _keep_others([*_SELF, "worker", *(["--burst"] if burst else [])], processes - 1, again=not burst):
            run_worker(runtime, burst=burst)

    return command


def _end_on_sigterm() -> None:
    """End in order when told to: by default the signal kills, and nothing of ours is put away."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


@contextmanager
def _keep_others(command: list[str], count: int, *, again: bool) -> Iterator[None]:
    """So many processes of this command beside this one, which end with it; whichever ends before is started again."""

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command)  # noqa: S603 - ourselves

    others = [start() for _ in range(count)]
    stop = threading.Event()
    keeper = threading.Thread(target=_replace_ended, args=(others, start, stop), daemon=True)
    if again and others:
        keeper.start()
    try:
        yield
    finally:
        stop.set()
        if keeper.ident:
            keeper.join()
        for other in others:
            other.terminate()
        for other in others:
            other.wait()


def _replace_ended(
    others: list[subprocess.Popen[bytes]], start: Callable[[], subprocess.Popen[bytes]], stop: threading.Event
) -> None:
    while not stop.wait(_REPLACE_SECONDS):
        for place, other in enumerate(others):
            if other.poll() is not None:
                logger.error("worker process %s ended with %s: another takes its place", other.pid, other.returncode)
                with suppress(OSError):  # no memory or no process to be had: tried again in a second, and said again
                    others[place] = start()


def run_worker(runtime: Runtime, *, burst: bool) -> None:
    """Answer doorbells until stopped; in burst mode, and before listening, do whatever is due."""
    if burst:  # somebody waits for it to end
        work(runtime, seconds=3600)
        return
    give_way()
    work(runtime, seconds=20)
    # no fork per job: a doorbell drains batches, so the process's pools are kept
    worker = SimpleWorker([runtime.bell.queue], connection=runtime.bell.redis, serializer="json")
    worker.work(logging_level="WARNING")


def give_way() -> None:
    """Let the web server go first where it shares a machine with this process.

    Where Linux groups processes by session, niceness counts only within a session: a service, which leads its own, says
    it for the session too (sched(7), "The autogroup feature"). Containers are weighed by who runs them.
    """
    os.nice(MODESTY)
    if os.getsid(0) != os.getpid():
        return  # the session is somebody else's, perhaps the web server's too
    for _ in range(_GROUP_TRIES):
        try:
            _AUTOGROUP.write_text(str(MODESTY))
        except BlockingIOError:  # one change in a tenth of a second on the whole machine, for who is not root
            time.sleep(_GROUP_SECONDS)  # of all that try at a time, one gets its turn
        except OSError:
            return  # this system has no such groups, or does not let us
        else:
            return


def _make_sweep(runtime: Runtime) -> click.Command:
    @click.command("sweep", help="Ring for what is due, every 2 s; do the work itself when Redis is away.")
    @click.option("--once", is_flag=True)
    def command(once: bool) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        if not once:
            _try_safely(bring_forward, runtime, once=once)
        while not stop.is_set():
            _try_safely(sweep, runtime, once=once)
            if once or stop.wait(SWEEP_SECONDS):
                return

    return command


def _try_safely(act: Callable[[Runtime], None], runtime: Runtime, *, once: bool) -> None:
    try:
        act(runtime)
    except Exception as error:
        if once:
            raise click.ClickException(str(error)) from error
        logger.exception("sweep failed; the next one is in %.0f s", SWEEP_SECONDS)


def _make_web(asgi_target: str) -> click.Command:
    @click.command("web", help="Serve the app over HTTP.")
    @click.option("--bind", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT")
    @click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
    def command(bind: str, workers: int) -> None:
        import uvicorn

        host, _, port = bind.rpartition(":")
        if not host or not (port.isascii() and port.isdecimal() and int(port) < 65536):
            raise click.BadParameter("must be HOST:PORT", param_hint="--bind")
        _end_on_sigterm()  # uvicorn raises the signal that stopped it once more
        uvicorn.run(
            asgi_target,
            factory=True,
            host=host.strip("[]"),
            port=int(port),
            workers=workers,
            log_config=None,
            access_log=False,
            server_header=False,
        )

    return command
