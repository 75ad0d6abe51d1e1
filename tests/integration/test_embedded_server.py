"""The embedded Valkey: shared by a folder's processes, stopped by the last, unharmed by a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from core.embedded import EmbeddedServer
from simulators.product import Product, find_port

HOLDER = """
import sys
from pathlib import Path
from core.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
print(server.acquire(), flush=True)
sys.stdin.readline()
server.release()
"""


class Holder:
    """A process that holds a share of the server until it is told to end."""

    def __init__(self, folder: Path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def url(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.communicate("\n", timeout=15)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=15)


def answers(url: str) -> bool:
    try:
        return bool(Redis.from_url(url, socket_connect_timeout=1).ping())
    except RedisError:
        return False


def stops(url: str) -> bool:
    end = time.monotonic() + 5
    while answers(url) and time.monotonic() < end:
        time.sleep(0.05)
    return not answers(url)


def test_started_together_shared_and_stopped_by_the_last(tmp_path: Path) -> None:
    holders = [Holder(tmp_path) for _ in range(3)]
    urls = {holder.url() for holder in holders}
    assert len(urls) == 1
    (url,) = urls
    holders[0].end()
    assert answers(url)
    holders[1].kill()
    assert answers(url)
    holders[2].end()
    assert stops(url)


def test_a_web_server_that_is_the_last_one_stops_it(tmp_path: Path) -> None:
    product = Product(tmp_path / "instance", find_port(0), "http://127.0.0.1:9", "a-key", "a-secret-of-" + 32 * "x")
    product.command("db", "upgrade")
    product.start()
    url = EmbeddedServer(tmp_path / "instance").url
    assert answers(url)
    web = product.processes.pop("web")
    product.stop()
    web.terminate()
    assert web.wait(15) == 0
    assert stops(url)


def test_another_folder_is_another_server(tmp_path: Path) -> None:
    one, other = Holder(tmp_path / "a"), Holder(tmp_path / "b")
    first, second = one.url(), other.url()
    assert first != second
    one.end()
    assert stops(first)
    assert answers(second)
    other.end()
    assert stops(second)


def test_after_everybody_was_killed_the_next_one_takes_over_and_stops_it(tmp_path: Path) -> None:
    dead = Holder(tmp_path)
    url = dead.url()
    dead.kill()
    heir = Holder(tmp_path)
    assert heir.url() == url
    assert answers(url)
    heir.end()
    assert stops(url)
