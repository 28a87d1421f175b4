"""What an id says about itself: each kind begins with three letters of its own."""

from __future__ import annotations

RUN, EVENT, APPROVAL = "run_", "evt_", "apr_"
_SHOWN_BY = {
    RUN: "a run: aie runs show",
    EVENT: "an event: aie events show",
    APPROVAL: "a request: aie approvals show",
}


def next_step(text: str, wanted: str, otherwise: str) -> str:
    """What to do when nothing has this id: if it names another kind than is ``wanted``, the command that shows it."""
    kind = text[:4]
    if kind in _SHOWN_BY and kind != wanted:
        return f"it looks like the id of {_SHOWN_BY[kind]} {text}"
    return otherwise
