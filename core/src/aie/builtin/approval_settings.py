"""The table ``[approvals]`` of ``aie.toml``: how long requests wait, and the rules about who is asked."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from aie.conditions import Condition
from aie.durations import seconds_in
from aie.errors import ConditionError
from aie.permission import CLI
from aie.rules import LONGEST_PER, NAMES, Rule

DEFAULT_EXPIRY = "7 days"
_NAME = re.compile(r"\S(?:[^\n\r]{0,78}\S)?")


class RuleSettings(BaseModel):
    """One ``[[approvals.rules]]``. The first rule that matches a step counts; without one the action itself says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="What it is called on record", examples=["small refunds"])
    then: Literal["allow", "ask", "refuse"] = Field(description="What becomes of the steps it matches")
    action: str | list[str] = Field(
        default=[], description="The actions it is about, by name; all when left out", examples=["send_email"]
    )
    when: str | None = Field(
        default=None,
        description="A condition over params, event, workflow, and facts (what the action's plugin knows)",
        examples=["params.to == 'me@example.com' and len(params.body) < 2000"],
    )
    channel: Literal["cli"] | None = Field(
        default=None, description="With ask: only a decision in a terminal counts, a moved note does not"
    )
    expires_after: str | None = Field(default=None, description="With ask: how long it waits", examples=["2 days"])
    max_count: int | None = Field(default=None, ge=1, description="With allow: at most so many within per")
    max_amount: Decimal | None = Field(default=None, ge=0, description="With allow: at most so much within per")
    amount: str = Field(default="amount", description="The parameter that max_amount adds up")
    per: str = Field(default="1 day", description="The time max_count and max_amount are about", examples=["1 day"])
    until: date | None = Field(default=None, description="The last day on which the rule counts")

    @field_validator("name")
    @classmethod
    def _printable(cls, value: str) -> str:
        ok = bool(_NAME.fullmatch(value)) and value.isprintable()
        return checked(value, "" if ok else f"a name is one line of 1 to 80 characters, found {value[:100]!r}")

    @field_validator("when")
    @classmethod
    def _condition(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                Condition.parse(value, names=NAMES)
            except ConditionError as error:
                return checked(value, error.message + (f"; {error.hint}" if error.hint else ""))
        return value

    @field_validator("max_amount", mode="before")
    @classmethod
    def _exactly(cls, value: Any) -> Any:
        """A number as it is written, not as the nearest binary one."""
        if isinstance(value, float):
            try:
                return Decimal(repr(value))
            except InvalidOperation:
                return value
        return value

    @field_validator("expires_after", "per")
    @classmethod
    def _length(cls, value: str | None) -> str | None:
        if value is None:
            return value
        try:
            seconds = seconds_in(value)
        except ValueError as error:
            return checked(value, str(error))
        fits = 0 < seconds <= LONGEST_PER.total_seconds()
        return checked(value, "" if fits else f"a length of time here is up to 366 days, found {value!r}")

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        given = self.model_fields_set
        for field, belongs in (
            ("channel", "ask"), ("expires_after", "ask"), ("max_count", "allow"), ("max_amount", "allow"),
        ):  # fmt: skip
            if field in given and getattr(self, field) is not None and self.then != belongs:
                checked("", f'{field} goes with then = "{belongs}", found then = "{self.then}"')
        if given & {"amount"} and self.max_amount is None:
            checked("", "amount says what max_amount adds up, and there is no max_amount")
        if given & {"per"} and self.max_amount is None and self.max_count is None:
            checked("", "per goes with max_count or max_amount")
        return self

    def rule(self) -> Rule:
        """What the settings mean."""
        return Rule(
            name=self.name,
            then=self.then,
            actions=frozenset([self.action] if isinstance(self.action, str) else self.action),
            when=None if self.when is None else Condition.parse(self.when, names=NAMES, where=f"rule {self.name!r}"),
            channel=CLI if self.channel else "",
            expires_after=_span(self.expires_after),
            max_count=self.max_count,
            max_amount=self.max_amount,
            amount=self.amount,
            per=timedelta(seconds=seconds_in(self.per)),
            until=self.until,
        )


class ApprovalSettings(BaseModel):
    """How long requests wait for an answer, and the rules about who is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expires_after: str = Field(
        default=DEFAULT_EXPIRY,
        description="A request that nobody answered for so long is rejected; 'never' lets all wait",
        examples=["3 days"],
    )
    rules: list[RuleSettings] = Field(default=[], description="In order; the first that matches a step counts")

    @field_validator("expires_after")
    @classmethod
    def _length(cls, value: str) -> str:
        return value if value == "never" else str(RuleSettings._length(value))

    @field_validator("rules")
    @classmethod
    def _apart(cls, value: list[RuleSettings]) -> list[RuleSettings]:
        names = [rule.name for rule in value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            checked("", f"two rules are called {twice!r}: limits are counted by name")
        return value

    @property
    def usual_expiry(self) -> timedelta | None:
        return None if self.expires_after == "never" else _span(self.expires_after)


def _span(text: str | None) -> timedelta | None:
    return None if text is None else timedelta(seconds=seconds_in(text))


def checked(value: str, problem: str) -> str:
    """The value; or the problem as a validation error whose message is that sentence and nothing else."""
    if problem:
        raise PydanticCustomError("not_usable", "{problem}", {"problem": problem})
    return value
