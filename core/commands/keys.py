"""Commands about the encryption keys."""

from __future__ import annotations

from collections.abc import Callable

import click

from core.flows.rekeying import SEALED, SealedColumn, begin_rotation, count_keys, count_old, reseal_batch
from core.runtime import Runtime

_BATCH = 200


def make_commands(runtime: Runtime) -> list[click.Command]:
    """The `keys` group over a runtime."""

    @click.group("keys", help="The keys that secrets are encrypted with.")
    def group() -> None: ...

    @group.command("rotate", help="Seal every stored secret with the first of ENCRYPTION_KEYS; everything may run on.")
    def rotate() -> None:
        with runtime.database.read() as session:
            left = count_old(session, runtime.keyring)
        for shop_id, counts in left.items():
            with runtime.database.write() as session:
                begin_rotation(session, runtime.keyring, shop_id, counts)
        faults: list[str] = []
        total = sum(sum(counts.values()) for counts in left.values())
        with click.progressbar(length=total, label="keys rotate") as bar:
            for sealed in SEALED:
                faults += _reseal(runtime, sealed, bar.update)
        if faults:
            raise click.ClickException("these do not open and were left as they are:\n  " + "\n  ".join(faults))
        _tell_end(runtime)

    return [group]


def _reseal(runtime: Runtime, sealed: SealedColumn, advance: Callable[[int], None]) -> list[str]:
    """One column, some rows a transaction: whoever waits for one of them waits for milliseconds."""
    after = 0
    faults: list[str] = []
    while True:
        with runtime.database.write() as session:
            done = reseal_batch(session, runtime.keyring, sealed, after, _BATCH)
        if done.last is None:
            return faults
        after = done.last
        faults += done.faults
        advance(done.resealed + len(done.faults))


def _tell_end(runtime: Runtime) -> None:
    with runtime.database.read() as session:
        counts = count_keys(session)
    writer = runtime.keyring.writer
    old = {kid: count for kid, count in counts.items() if kid != writer}
    click.echo(f"{counts.get(writer, 0)} stored secrets are under key {writer}")
    if old:
        listed = ", ".join(f"{count} under {kid}" for kid, count in sorted(old.items()))
        raise click.ClickException(
            f"meanwhile others were written with an earlier key ({listed}): restart every process with {writer} first "
            "in ENCRYPTION_KEYS, then run this again"
        )
    click.echo("the other keys may leave ENCRYPTION_KEYS once no process runs with an older setting")
