"""Calling code of a plugin so that nothing it does there ends or confuses aie."""

from __future__ import annotations

import contextlib
import inspect
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from aie.errors import PluginError

P = ParamSpec("P")
T = TypeVar("T")
_MAX_TRACEBACK_CHARACTERS = 20_000


class BrokenPluginError(PluginError):
    """Why a plugin cannot be used, in one sentence; ``traceback_text`` is for its author."""

    def __init__(self, message: str, *, where: str = "", hint: str = "", traceback_text: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.traceback_text = traceback_text


def guarded(doing: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns; whatever it raises instead comes as a BrokenPluginError that starts with ``doing``.

    SystemExit, AssertionError and a KeyboardInterrupt the plugin raised itself are no exceptions to that; one that a
    person caused by Ctrl-C goes through. What is printed meanwhile goes to stderr: stdout may be read by a program.
    """
    with _watch_for_ctrl_c() as pressed, contextlib.redirect_stdout(sys.stderr):
        try:
            return function(*args, **kwargs)
        except BrokenPluginError:
            raise
        except BaseException as error:
            if pressed:
                raise KeyboardInterrupt from error
            text = "".join(traceback.format_exception(error))[-_MAX_TRACEBACK_CHARACTERS:]
            raise BrokenPluginError(_reason(doing, error), traceback_text=text) from None


@contextlib.contextmanager
def _watch_for_ctrl_c() -> Iterator[list[int]]:
    """A list that fills when the interrupt signal comes; who handled the signal before still does."""
    pressed: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if in_main else None
    if not callable(before):  # elsewhere, or while the signal is ignored, no Ctrl-C arrives as an exception
        yield pressed
        return

    def note(number: int, frame: FrameType | None) -> Any:
        pressed.append(number)
        return before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)  # also over a handler the plugin has put there


def _reason(doing: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        own = error.name.partition(".")[0] in sys.modules
        missing = "its package does not have" if own else "is not installed"
        return f"{doing} needs the module {error.name!r}, which {missing}"
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{Path(error.filename).name}, line {error.lineno}"
        return f"{doing} found a syntax error in {place}: {error.msg}"
    if isinstance(error, SystemExit):
        return f"{doing} tried to end the program with {one_line(error) or 'SystemExit'}"
    text = one_line(error)
    return f"{doing} raised {type(error).__name__}{': ' if text else ''}{text}"


def one_line(value: object) -> str:
    """``str(value)`` in one line of at most 200 characters, also when ``__str__`` is broken."""
    try:
        text = " ".join(str(value).split())
    except Exception:
        return ""
    return text if len(text) <= 200 else text[:199] + "…"


def discard(value: object) -> None:
    """Close a coroutine nobody will await, so that it does not warn about that later."""
    if inspect.iscoroutine(value):
        value.close()
