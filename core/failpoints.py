"""Named places at which a crash test may kill, freeze or disturb a process (docs/reliability.md).

Nothing in the product arms them and no setting can: only a process that the crash tests launch themselves is given a
hook. Without one, reaching a failpoint costs one comparison.
"""

from __future__ import annotations

from collections.abc import Callable

# transactions (core.db.Database.write): each has a failpoint .before, .before_commit and .after_commit
TRANSACTIONS = (
    "record",
    "think.claim",
    "think",
    "think.end",
    "think.put_off",
    "claim",
    "prepare",
    "conclude",
    "blame",
    "duty.claim",
    "duty.end",
)
_STEPS = ("before", "before_commit", "after_commit")
_PLACES = (
    "ring.before",
    "ring.marked",
    "ring.after",
    "answer.before",
    "answer.after",
    "think.before_read",
    "think.after_read",
    "want.before_insert",
    "want.after_insert",
    "call.before",
    "call.after",
    "sweep.before_ring",
)
NAMES = frozenset(_PLACES) | {f"{one}.{step}" for one in TRANSACTIONS for step in _STEPS}

_hooks: list[Callable[[str], None]] = []


def hit(name: str) -> None:
    """This process is at this place. Raises whatever an armed test raises."""
    if _hooks:
        assert name in NAMES, name
        _hooks[-1](name)


def arm(hook: Callable[[str], None]) -> None:
    """Call `hook` with the name of every failpoint from now on. For tests alone: a house test sees to that."""
    _hooks.append(hook)
