"""Permission: whether a step may be carried out at once, once a person agreed, or not at all."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Kind = Literal["allow", "ask", "refuse"]
CLI = "cli"
RULE = "rule"  # the channel of what a rule decided
EXPIRY = "expiry"  # the channel of what nobody decided


class Permission(Struct, frozen=True):
    """``rule`` is the rule of ``aie.toml`` that says so, '' when it is the action itself."""

    kind: Kind
    rule: str = ""
    channel: str = ""  # the only one that a decision may come through; '' for any
    expires_after_s: float | None = None  # from the asking on; None: never
    problem: str = ""  # why a rule that might have said otherwise could not be applied
