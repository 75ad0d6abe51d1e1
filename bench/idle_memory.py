"""Memory of web, worker and sweeper at rest, after they have done some work (`make bench`)."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import psutil

from simulators.demo import Demo, be_silent

LIMIT_MB = 350
_REST_SECONDS = 5


def measure() -> dict[str, float]:
    """Proportional set size (shared pages divided among their users) in MB of each process, its children included."""
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(Path(folder) / "sandbox", fixed_ports=False)
        try:
            demo.prepare()
            demo.play("PASS", be_silent)
            time.sleep(_REST_SECONDS)
            return {name: _read_memory(process.pid) for name, process in demo.product.processes.items()}
        finally:
            demo.close()


def _read_memory(pid: int) -> float:
    top = psutil.Process(pid)
    return sum(one.memory_full_info().pss for one in [top, *top.children(recursive=True)]) / 1e6


def main() -> int:
    """Print the figures; 1 when the sum is over the limit."""
    figures = measure()
    for name, megabytes in figures.items():
        print(f"{name:>8}  {megabytes:6.1f} MB")
    total = sum(figures.values())
    print(f"{'sum':>8}  {total:6.1f} MB of {LIMIT_MB} MB allowed")
    return 0 if total < LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
