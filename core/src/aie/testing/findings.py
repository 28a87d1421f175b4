"""Findings: what each check came to. One that goes wrong is a finding of its own and hides no other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from aie.errors import AieError, PluginError
from aie.plugins.guard import one_line
from aie.testing.report import Check, Result

T = TypeVar("T")


class ViolationError(Exception):
    """What breaks the contract, in a sentence, and the next step."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotTriedError(Exception):
    """Why something could not be looked at."""


class Findings:
    """Collects them in order."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    @contextlib.contextmanager
    def check(self, name: str, subject: str) -> Iterator[None]:
        """One check: ok unless the block raises; any exception in it is a violation, NotTriedError says it was none."""
        result, message, hint = Result.OK, "", ""
        try:
            yield
        except ViolationError as error:
            result, message, hint = Result.FAILED, error.message, error.hint
        except NotTriedError as error:
            result, message = Result.NOT_TRIED, str(error)
        except Exception as error:
            result, message, hint = Result.FAILED, said(error), getattr(error, "hint", "")
        self.checks.append(Check(name, subject, result, message, hint))

    def value(self, name: str, subject: str, work: Callable[[], T]) -> T | None:
        """What the work gives, as one check; None where it is a violation."""
        value: list[T] = []
        with self.check(name, subject):
            value.append(work())
        return value[0] if value else None

    def not_tried(self, name: str, subject: str, why: str) -> None:
        self.checks.append(Check(name, subject, Result.NOT_TRIED, why))


def said(error: BaseException) -> str:
    """An exception in a sentence."""
    if isinstance(error, AieError):
        place = "" if isinstance(error, PluginError) else error.where  # the whole report is about the plugin
        return f"{place}: {error.message}" if place else error.message
    text = one_line(error)
    return f"it raised {type(error).__name__}{': ' if text else ''}{text}"


def listed(names: list[str], one: str, many: str) -> str:
    """``'a'`` with the word for one, ``'a' and 'b'`` with that for many."""
    quoted = [repr(name) for name in names]
    if len(quoted) == 1:
        return f"{one} {quoted[0]}"
    return f"{many} {', '.join(quoted[:-1])} and {quoted[-1]}"
