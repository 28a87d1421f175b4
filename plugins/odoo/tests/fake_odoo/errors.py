"""The exceptions of an Odoo server, by the names they have on the wire."""

from __future__ import annotations


class OdooError(Exception):
    name = ""
    fault_code = 1
    status = 500


class UserError(OdooError):
    name, fault_code, status = "odoo.exceptions.UserError", 2, 422


class ValidationError(OdooError):
    name, fault_code, status = "odoo.exceptions.ValidationError", 2, 422


class MissingError(OdooError):
    name, fault_code, status = "odoo.exceptions.MissingError", 2, 404


class AccessDeniedError(OdooError):
    name, fault_code, status = "odoo.exceptions.AccessDenied", 3, 403


class AccessError(OdooError):
    name, fault_code, status = "odoo.exceptions.AccessError", 4, 403


class DatabaseMissingError(OdooError):
    name = "psycopg2.OperationalError"


class SerializationError(OdooError):
    name = "psycopg2.errors.SerializationFailure"


class BadFormatError(OdooError):
    name = "psycopg2.errors.InvalidTextRepresentation"


def name_of(error: Exception) -> str:
    return error.name if isinstance(error, OdooError) else f"builtins.{type(error).__name__}"


def traceback_of(error: Exception) -> str:
    """As XML-RPC faults of code 1 and ``debug`` carry it: whole, with whatever was on the stack."""
    name = name_of(error).removeprefix("builtins.")
    frame = (
        '  File "/opt/odoo/odoo/http.py", line 1, in dispatch\n    result = call(secret)\n             ^^^^^^^^^^^^\n'
    )
    return f"Traceback (most recent call last):\n{frame}{name}: {error}\n"
