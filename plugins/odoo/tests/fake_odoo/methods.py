"""Methods of models, by name: those of every model, and the buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from fake_odoo import rules
from fake_odoo.database import Database, Row
from fake_odoo.errors import AccessError, UserError

WRITES = {"create": "create", "write": "write", "unlink": "unlink"}
OF_THE_MODEL = {
    "create", "search", "search_read", "search_count", "fields_get", "check_access_rights", "context_get", "load",
}  # fmt: skip
REQUIRED = {"create": "vals_list", "search": "domain", "search_count": "domain"}


class UnknownModelError(Exception):
    """There is no such model."""


class UnknownMethodError(Exception):
    """There is no such method."""


Button = Callable[[Database, int, list[Row]], Any]


class Offered(Protocol):
    """Which methods this server has: a test may take some away, or give others their names."""

    buttons: dict[tuple[str, str], Button]
    general: dict[str, Callable[..., Any]]


def call(
    db: Database, uid: int, model: str, method: str, ids: list[int] | None, arguments: Row, context: Row,
    offered: Offered,
) -> Any:  # fmt: skip
    """What the method returns; its arguments are by name."""
    if model not in db.fields:
        raise UnknownModelError(model)
    if method.startswith("_"):
        raise AccessError(f"Private methods (such as '{model}.{method}') cannot be called remotely.")
    if method in ("search", "search_read", "search_count", "read"):
        db.check(uid, model, "read")
    if operation := WRITES.get(method):
        db.check(uid, model, operation)
    if found := offered.buttons.get((model, method)):
        if ((model, method) in ONLY_17 and db.version >= 19) or ((model, method) in ONLY_19 and db.version < 19):
            raise UnknownMethodError(method)
        db.check(uid, model, "write")
        return found(db, uid, [db.get(model, record_id, uid) for record_id in ids or ()])
    if method not in offered.general:
        raise UnknownMethodError(method)
    return offered.general[method](db, uid, model, ids, arguments, context)


def _create(db: Database, uid: int, model: str, ids: Any, arguments: Row, context: Row) -> Any:
    vals = arguments["vals_list"]
    if isinstance(vals, dict):
        return rules.create(db, model, dict(vals), uid, context)
    return [rules.create(db, model, dict(one), uid, context) for one in vals]


def _search(db: Database, uid: int, model: str, ids: Any, arguments: Row, context: Row) -> list[int]:
    domain = arguments.get("domain") or []
    found = db.search(model, domain, context, arguments.get("order") or "id asc")
    begin = arguments.get("offset") or 0
    return found[begin : begin + arguments["limit"]] if arguments.get("limit") else found[begin:]


def _search_read(db: Database, uid: int, model: str, ids: Any, arguments: Row, context: Row) -> list[Row]:
    fields = arguments.get("fields")
    if not fields and model == "res.partner" and uid != 2:
        raise AccessError("Failed to read field res.partner.rtc_session_ids")
    return db.read(model, _search(db, uid, model, ids, arguments, context), fields)


def _read(db: Database, uid: int, model: str, ids: Any, arguments: Row, context: Row) -> list[Row]:
    return db.read(model, ids, arguments.get("fields"), arguments.get("load", "_classic_read"))


def _fields_get(db: Database, uid: int, model: str, ids: Any, arguments: Row, context: Row) -> Row:
    all_readonly = not (db.may(uid, model, "write") or db.may(uid, model, "create"))
    wanted = arguments.get("allfields") or db.fields[model]
    told = {}
    for name in wanted:
        if name in db.fields[model]:
            kind = db.fields[model][name].split(" ")
            facts = {"type": kind[0].partition(">")[0], "readonly": all_readonly or "readonly" in kind}
            facts |= {"string": name, "required": False}
            if kind[0] == "selection":
                facts["selection"] = [[state, state.title()] for state in db.expense_states]
            told[name] = {key: facts[key] for key in arguments.get("attributes") or facts if key in facts}
    return told


def _may(db: Database, uid: int, model: str, ids: Any, arguments: Row, context: Row) -> bool:
    return db.may(uid, model, arguments["operation"])


def _write(db: Database, uid: int, model: str, ids: Any, arguments: Row, context: Row) -> bool:
    return rules.write(db, model, ids, arguments["vals"], uid)


def _unlink(db: Database, uid: int, model: str, ids: Any, arguments: Row, context: Row) -> bool:
    for record_id in ids:
        row = db.get(model, record_id, uid)
        if model == "hr.expense" and row["state"] in ("approved", "posted", "done", "paid"):
            raise UserError("You cannot delete a posted or approved expense.")
        if model == "account.move" and row["state"] == "posted":
            raise UserError("You can't delete a posted journal item.")
        del db.rows[model][record_id]
    return True


GENERAL: dict[str, Callable[..., Any]] = {
    "create": _create,
    "search": _search,
    "search_read": _search_read,
    "search_count": lambda *given: len(_search(*given)),
    "read": _read,
    "write": _write,
    "unlink": _unlink,
    "fields_get": _fields_get,
    "check_access_rights": _may,
    "context_get": lambda db, uid, *_: {"lang": "en_US", "tz": False, "uid": uid},
}


# --- buttons -----------------------------------------------------------------------------------------------------


def _post_move(db: Database, uid: int, rows: list[Row]) -> bool:
    for row in rows:
        if row["state"] != "draft":
            raise UserError(f"The entry {row['name']} (id {row['id']}) must be in draft.")
        if not row.get("partner_id"):
            raise UserError(
                "The 'Customer' field is required to validate the invoice."
                if db.version >= 19
                else "The field 'Customer' is required, please complete it to validate the Customer Invoice."
            )
        if not row["invoice_line_ids"]:
            raise UserError(
                "Even magicians can't post nothing!" if db.version >= 19 else "You need to add a line before posting."
            )
        number = db.next_ids.setdefault("INV", 1)
        db.next_ids["INV"] += 1
        name = row["name"] if row["name"] not in (False, "/") else f"INV/{db.now.year}/{number:05}"
        db.update("account.move", row["id"], state="posted", name=name, payment_reference=name)
    return False


def _draft_move(db: Database, uid: int, rows: list[Row]) -> None:
    for row in rows:
        db.update("account.move", row["id"], state="draft")


def _cancel_move(db: Database, uid: int, rows: list[Row]) -> None:
    for row in rows:
        db.update("account.move", row["id"], state="cancel")


def _create_payments(db: Database, uid: int, rows: list[Row]) -> Row:
    (wizard,) = rows
    move = db.get("account.move", wizard["active_ids"][0], uid)
    amount = wizard.get("amount", move["amount_residual"])
    memo = "memo" if db.version >= 18 else "ref"
    payment_id = rules.create(
        db,
        "account.payment",
        {
            "amount": amount,
            "date": wizard.get("payment_date", db.now.date().isoformat()),
            "state": "posted" if db.version < 18 else "paid",
            "partner_id": move["partner_id"],
            "journal_id": wizard.get("journal_id", 6),
            "currency_id": move["currency_id"],
            memo: wizard.get("communication", move["name"]),
        },
        uid,
        {},
    )
    rules.pay(db, move, amount)
    return {
        "name": "Payments", "type": "ir.actions.act_window", "res_model": "account.payment",
        "context": {"create": False}, "view_mode": "form", "res_id": payment_id,
    }  # fmt: skip


def _submit_sheet(db: Database, uid: int, rows: list[Row]) -> None:
    for sheet in rows:
        db.update("hr.expense.sheet", sheet["id"], state="submit")
        for line in sheet["expense_line_ids"]:
            db.update("hr.expense", line, state="submitted")


def _approve_sheets(db: Database, uid: int, rows: list[Row]) -> Row | None:
    for sheet in rows:
        lines = [db.get("hr.expense", line) for line in sheet["expense_line_ids"]]
        if any(_similar(db, line) for line in lines):
            return _ask_about_similar([sheet["id"]])
        db.update("hr.expense.sheet", sheet["id"], state="approve", approval_state="approve")
        for line in lines:
            db.update("hr.expense", line["id"], state="approved")
    return None


def _submit_expense(db: Database, uid: int, rows: list[Row]) -> None:
    for row in rows:
        if not row.get("product_id"):
            raise UserError("You can not submit an expense without a category.")
        if not row["total_amount"]:
            raise UserError("Only draft expenses can have a total of 0.")
        manager = db.get("hr.employee", row["employee_id"]).get("parent_id")
        state = "submitted" if manager else "approved"
        db.update("hr.expense", row["id"], state=state, approval_state=state)


def _approve_expense(db: Database, uid: int, rows: list[Row]) -> Row | None:
    for row in rows:
        if _similar(db, row):
            return _ask_about_similar([row["id"]])
        db.update("hr.expense", row["id"], state="approved", approval_state="approved")
    return None


def _similar(db: Database, row: Row) -> bool:
    same = ("employee_id", "product_id", "total_amount", "date")
    return any(
        other["id"] != row["id"] and other["state"] == "approved" and all(other.get(k) == row.get(k) for k in same)
        for other in db.rows["hr.expense"].values()
    )


def _ask_about_similar(ids: list[int]) -> Row:
    return {
        "name": "Validate Duplicate Expenses", "type": "ir.actions.act_window", "view_mode": "form", "res_id": 0,
        "res_model": "hr.expense.approve.duplicate", "target": "new", "context": {"default_expense_ids": ids},
    }  # fmt: skip


BUTTONS: dict[tuple[str, str], Callable[[Database, int, list[Row]], Any]] = {
    ("account.move", "action_post"): _post_move,
    ("account.move", "button_draft"): _draft_move,
    ("account.move", "button_cancel"): _cancel_move,
    ("account.payment.register", "action_create_payments"): _create_payments,
    ("hr.expense.sheet", "action_submit_sheet"): _submit_sheet,
    ("hr.expense.sheet", "action_approve_expense_sheets"): _approve_sheets,
    ("hr.expense", "action_submit"): _submit_expense,
    ("hr.expense", "action_approve"): _approve_expense,
}
ONLY_17 = {key for key in BUTTONS if key[0] == "hr.expense.sheet"}
ONLY_19 = {("hr.expense", "action_submit"), ("hr.expense", "action_approve")}
