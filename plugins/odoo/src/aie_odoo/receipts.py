"""Receipts: a file of the vault attached to an expense."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

from aie.errors import ActionError, ParameterError
from aie.files import Files
from aie.paths import path_parts
from aie_odoo.client import Session

LARGEST_BYTES = 10 * 1024 * 1024


async def read_receipt(vault: Path, path: str) -> bytes:
    """The file's content; :class:`ActionError` when it is not there, not in the vault, or too large."""
    return await asyncio.to_thread(_read, vault, path)


async def attach(session: Session, expense_id: int, path: str, content: bytes) -> None:
    """Attach the file to the expense, unless a file of that name is there already."""
    name = path_parts(path, there=True)[-1]
    there = [["res_model", "=", "hr.expense"], ["res_id", "=", expense_id], ["name", "=", name]]
    if not await session.search_read("ir.attachment", there, ["name"], limit=1):
        values = {
            "name": name,
            "res_model": "hr.expense",
            "res_id": expense_id,
            "datas": base64.b64encode(content).decode(),
        }
        await session.create("ir.attachment", values)


def _read(vault: Path, path: str) -> bytes:
    try:
        with Files().folder_of(vault, path, create=False) as (folder, name), folder.open(name) as file:
            content = file.read(LARGEST_BYTES + 1)
    except ParameterError as error:
        raise ActionError(error.message, where="receipt", hint=error.hint) from None
    except OSError as error:
        raise ActionError(
            f"the receipt {path!r} cannot be read: {error.strerror or type(error).__name__}",
            where="receipt",
            hint="give the path of a file in the vault, such as Receipts/taxi.pdf",
        ) from None
    if len(content) > LARGEST_BYTES:
        raise ActionError(
            f"the receipt {path!r} is larger than {LARGEST_BYTES // 1024**2} MB",
            where="receipt",
            hint="make it smaller",
        )
    return content
