"""The machine: a definition and what is on record so far, to what happens next.

Pure: no clock, no file, no network, no chance. The engine drives it for real, a dry run by printing, tests by
asserting; nothing else decides what happens next.

:mod:`~aie.machine.walk` says what follows, :mod:`~aie.machine.settling` what is on record once a call has come back or
a person has spoken, :mod:`~aie.machine.rerun` what a run goes on from that is done again.
"""

from aie.machine.calls import (
    Advance,
    Call,
    CallOutcome,
    Failure,
    Looked,
    Success,
    Traits,
    TraitsOf,
    Unknown,
)
from aie.machine.keys import approval_id, idempotency_key
from aie.machine.rerun import again, stands_at
from aie.machine.scope import scope
from aie.machine.settling import decide, resolve, retry_delay_s, settle, suspect
from aie.machine.walk import advance
from aie.machine.words import error_of

__all__ = [
    "Advance",
    "Call",
    "CallOutcome",
    "Failure",
    "Looked",
    "Success",
    "Traits",
    "TraitsOf",
    "Unknown",
    "advance",
    "again",
    "approval_id",
    "decide",
    "error_of",
    "idempotency_key",
    "resolve",
    "retry_delay_s",
    "scope",
    "settle",
    "stands_at",
    "suspect",
]
