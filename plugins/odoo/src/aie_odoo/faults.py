"""What can go wrong with Odoo, in classes.

Faults are told apart by their code, their HTTP status or the name of the server's exception, never by their words:
those change with version and language. What they say is shown in one line, and never with the traceback they carry.
"""

from __future__ import annotations

import re

from aie.errors import ActionError, RetryableError, UncertainError

LONGEST = 300  # characters of a server's message
CONNECT_ANEW = "look with aie doctor, then connect anew: aie connect odoo"


class SignInError(ActionError):
    """The server does not take this user and key."""


class RightsError(ActionError):
    """The user may not do this."""


class RefusedError(ActionError):
    """Odoo's own rules say no: the data is not right, or the record is not in a state for it."""


class AbsentError(ActionError):
    """There is no such model, method or record."""


class ServerError(ActionError):
    """The server failed at it and undid it; ``exception`` is the name of what it raised."""

    def __init__(self, message: str, *, exception: str = "", where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.exception = exception


class NotOdooError(ActionError):
    """Something answers at that address, and it is not Odoo."""


class DatabaseError(RetryableError):
    """The server cannot open the database: its name is wrong, or the database is down."""


class BusyServerError(RetryableError):
    """Somebody else holds the record, or the server asks for patience."""


class UnreachableError(RetryableError):
    """The server was not reached: nothing happened."""


class LostError(UncertainError):
    """The request left, and no answer came back."""


_SAME_CLASS = {
    "odoo.exceptions.AccessDenied": SignInError,
    "werkzeug.exceptions.Unauthorized": SignInError,
    "odoo.exceptions.AccessError": RightsError,
    "werkzeug.exceptions.Forbidden": RightsError,
    "odoo.exceptions.UserError": RefusedError,
    "odoo.exceptions.ValidationError": RefusedError,
    "odoo.exceptions.RedirectWarning": RefusedError,
    "odoo.exceptions.MissingError": AbsentError,
    "werkzeug.exceptions.NotFound": AbsentError,
    "psycopg2.OperationalError": DatabaseError,
    "psycopg2.errors.SerializationFailure": BusyServerError,
    "psycopg2.errors.LockNotAvailable": BusyServerError,
    "psycopg2.errors.DeadlockDetected": BusyServerError,
    "psycopg2.pool.PoolError": BusyServerError,
    "odoo.sql_db.PoolError": BusyServerError,
    "odoo.exceptions.LockError": BusyServerError,
    "odoo.exceptions.ConcurrencyError": BusyServerError,
}
"""Exception names on the wire (JSON-RPC, JSON-2, tracebacks) and what they are here; all others are ServerErrors."""

_CODES = {2: RefusedError, 3: SignInError, 4: RightsError}
"""Fault codes of ``/xmlrpc/2``; 1 is everything else, with a traceback."""

_RAISED = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?")


def from_fault(code: object, text: str, doing: str) -> ActionError:
    """The error for an XML-RPC fault."""
    if isinstance(code, int) and code in _CODES:
        return _made(_CODES[code], text, doing)
    name, message = raised(text)
    return from_exception(name, message, doing)


def from_exception(name: str, message: str, doing: str) -> ActionError:
    """The error for an exception of the server, by its full name."""
    name = name.removeprefix("builtins.")
    if name in _SAME_CLASS:
        return _made(_SAME_CLASS[name], message, doing)
    said = f": {one_line(message)}" if message else ""
    return ServerError(
        f"Odoo failed at {doing} with {name or 'an error'}{said}",
        exception=name,
        hint="nothing was changed; the server's own log has the details",
    )


def raised(traceback: str) -> tuple[str, str]:
    """Name and message of the exception at the end of a traceback: the first line behind the frames.

    ``('', '')`` for text that is no traceback.
    """
    _, begin, rest = traceback.rpartition("Traceback (most recent call last):\n")
    behind = (line for line in rest.splitlines() if line and not line.startswith(" "))
    found = _RAISED.fullmatch(next(behind, "")) if begin else None
    return (found[1], (found[2] or "").strip()) if found else ("", "")


def one_line(text: str) -> str:
    """A server's message in one line, not too long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 1]}…"


def _made(kind: type[ActionError], message: str, doing: str) -> ActionError:
    said = one_line(message)
    if kind is SignInError:
        return kind(f"Odoo does not accept the user and key, at {doing}", hint=CONNECT_ANEW)
    if kind is RightsError:
        return kind(f"the user may not do {doing}: {said}", hint="give the user that right in Odoo (Settings, Users)")
    if kind is AbsentError:
        return kind(f"Odoo does not have what {doing} asks for: {said}", hint="see whether it was deleted in Odoo")
    if kind is DatabaseError:
        return kind("the server cannot open the database", hint="see whether its name is right: aie doctor")
    if kind is BusyServerError:
        return kind(f"Odoo is busy with that record, at {doing}", hint="aie tries again by itself")
    return kind(f"Odoo refused {doing}: {said}", hint="mend the data, or do it in Odoo")
