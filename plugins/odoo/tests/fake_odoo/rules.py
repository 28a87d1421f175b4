"""What Odoo makes of new records: defaults, checks and sums."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from fake_odoo.database import Database, Row
from fake_odoo.errors import BadFormatError, MissingError, UserError, ValidationError

MOVE_TYPES = ("entry", "out_invoice", "out_refund", "in_invoice", "in_refund", "out_receipt", "in_receipt")
MANDATORY = {
    17: "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n\nModel: Expense"
    " (hr.expense)\nField: Employee (employee_id)\n",
    19: "The operation cannot be completed: Missing required value for the field 'Employee' (employee_id).\n",
}


def create(db: Database, model: str, vals: Row, uid: int, context: Row) -> int:
    """One record, with everything that comes of it."""
    for name, value in vals.items():
        kind = db.field(model, name, "in" if db.version >= 19 else "on model").split(" ")[0]
        _check_value(db, model, name, kind, value, uid)
    given = {name: value for name, value in vals.items() if value is not None}
    match model:
        case "res.partner":
            return _partner(db, given)
        case "account.move":
            return _move(db, given, uid)
        case "hr.expense":
            return _expense(db, given, uid)
        case "hr.expense.sheet":
            return _sheet(db, given)
        case "account.payment.register":
            return db.insert(model, **given, active_ids=context.get("active_ids", []))
        case "hr.employee":
            contact = _partner(db, {"name": given["name"], "email": given.get("work_email", False)})
            return db.insert(model, **{"company_id": 1, "active": True, "work_contact_id": contact, **given})
        case "ir.attachment":
            record_id = db.insert(model, **given)
            if given.get("res_model") == "hr.expense":
                row = db.get("hr.expense", given["res_id"])
                row["attachment_ids"] = [*row.get("attachment_ids", []), record_id]
                row["nb_attachment"] = len(row["attachment_ids"])
            return record_id
    return db.insert(model, **given)


def _check_value(db: Database, model: str, name: str, kind: str, value: Any, uid: int) -> None:
    if kind == "date" and value:
        dt.datetime.strptime(value, "%Y-%m-%d")  # noqa: DTZ007 - the ValueError that Odoo answers
    if kind.startswith("many2one>") and value:
        if isinstance(value, str):
            raise BadFormatError(f'invalid input syntax for type integer: "{value}"')
        relation = kind.partition(">")[2]
        if relation in db.rows and value not in db.rows[relation]:
            raise MissingError(
                f"Record does not exist or has been deleted.\n(Record: {relation}({value},), User: {uid})"
            )
    if name == "move_type" and value not in MOVE_TYPES:
        raise ValueError(f"Wrong value for account.move.move_type: '{value}'")
    if name == "payment_mode" and value not in ("own_account", "company_account"):
        raise ValueError(f"Wrong value for hr.expense.payment_mode: '{value}'")


def write(db: Database, model: str, ids: list[int], vals: Row, uid: int) -> bool:
    for record_id in ids:
        db.get(model, record_id, uid)
    for record_id in ids:
        for name, value in vals.items():
            kind = db.field(model, name, "in").split(" ")[0]
            _check_value(db, model, name, kind, value, uid)
        db.update(model, record_id, **vals)
        if model == "res.partner":
            _normalize(db.rows[model][record_id])
    return True


def _partner(db: Database, vals: Row) -> int:
    if not vals.get("name"):
        raise ValidationError("The operation cannot be completed: Contacts require a name")
    if vals.get("comment"):
        vals["comment"] = f"<p>{vals['comment']}</p>"
    record_id = db.insert("res.partner", **{"active": True, "is_company": False, **vals})
    row = db.rows["res.partner"][record_id]
    row["commercial_partner_id"] = row.get("parent_id") or record_id
    _normalize(row)
    return record_id


def _normalize(row: Row) -> None:
    row["email_normalized"] = (row.get("email") or "").split(",")[0].strip().lower() or False


# --- invoices ----------------------------------------------------------------------------------------------------


def money(value: Decimal | float) -> float:
    """Two places, halves up, as the currencies here round."""
    return float(Decimal(repr(float(value))).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _move(db: Database, vals: Row, uid: int) -> int:
    lines = _lines(vals.pop("invoice_line_ids", []))
    kind = vals.get("move_type", "entry")
    first_draft = db.version < 19 and not any(row["move_type"] == kind for row in db.rows["account.move"].values())
    today = db.now.date().isoformat()
    values = {
        "state": "draft",
        "payment_state": "not_paid",
        "move_type": kind,
        "name": f"INV/{today[:4]}/00001" if first_draft else (False if db.version >= 19 else "/"),
        "currency_id": 1,
        "company_id": 1,
        "company_currency_id": 1,
        "date": vals.get("invoice_date", today),
        "invoice_date_due": vals.get("invoice_date", False),
        "invoice_user_id": uid,
        "journal_id": 1,
        **vals,
    }
    if values.get("narration"):
        values["narration"] = f"<p>{values['narration']}</p>"
    record_id = db.insert("account.move", **values)
    row = db.rows["account.move"][record_id]
    if row.get("partner_id"):
        row["commercial_partner_id"] = db.get("res.partner", row["partner_id"])["commercial_partner_id"]
    row["invoice_line_ids"] = [_line(db, row, line) for line in lines]
    row["line_ids"] = row["invoice_line_ids"]
    reckon(db, row)
    return record_id


def _lines(commands: Any) -> list[Row]:
    if any(isinstance(command, dict) for command in commands):
        raise TypeError("unhashable type: 'dict'")
    return [dict(vals) for kind, _, vals in commands if kind == 0]


def _line(db: Database, move: Row, vals: Row) -> int:
    for name in vals:
        db.field("account.move.line", name, "in" if db.version >= 19 else "on model")
    product = db.get("product.product", vals["product_id"]) if vals.get("product_id") else {}
    taxes = [tax for command in vals.pop("tax_ids", [[6, 0, product.get("taxes_id", [])]]) for tax in command[2]]
    values = {"display_type": "product", "quantity": 1.0, "discount": 0.0, "name": product.get("name", False), **vals}
    about = {"account_id": 24, "currency_id": move["currency_id"], "partner_id": move.get("partner_id", False)}
    return db.insert("account.move.line", move_id=move["id"], tax_ids=taxes, **about, **values)


def reckon(db: Database, row: Row) -> None:
    """Sums of an invoice from its lines."""
    net = taxed = Decimal(0)
    for line in (db.rows["account.move.line"][line_id] for line_id in row["invoice_line_ids"]):
        price = Decimal(repr(float(line.get("price_unit", 0)))) * Decimal(repr(float(line["quantity"])))
        base = Decimal(repr(money(price * (100 - Decimal(repr(float(line["discount"])))) / 100)))
        tax = sum(Decimal(repr(db.rows["account.tax"][tax_id]["amount"])) for tax_id in line["tax_ids"])
        tax = Decimal(repr(money(base * tax / 100)))
        line |= {"price_subtotal": float(base), "price_total": float(base + tax)}
        net, taxed = net + base, taxed + tax
    sign = -1 if row["move_type"] == "out_refund" else 1
    total = money(net + taxed)
    row |= {
        "amount_untaxed": money(net),
        "amount_tax": money(taxed),
        "amount_total": total,
        "amount_residual": total,
        "amount_total_signed": sign * total,
        "amount_residual_signed": sign * total,
    }


def pay(db: Database, row: Row, amount: float) -> None:
    """Take a payment off what is open."""
    left = money(Decimal(repr(row["amount_residual"])) - Decimal(repr(amount)))
    db.update(
        "account.move",
        row["id"],
        amount_residual=left,
        amount_residual_signed=left,
        payment_state="partial" if left else "paid",
    )


# --- expenses ----------------------------------------------------------------------------------------------------


def _expense(db: Database, vals: Row, uid: int) -> int:
    if not vals.get("employee_id"):
        own = [row["id"] for row in db.rows["hr.employee"].values() if row.get("user_id") == uid]
        if not own:
            raise ValidationError(MANDATORY[17 if db.version < 19 else 19])
        vals["employee_id"] = own[0]
    amount = float(vals.get("total_amount_currency", vals.get("total_amount", 0)) or 0)
    product = db.rows["product.product"].get(vals.get("product_id") or 0, {})
    values = {
        "state": "draft",
        "name": product.get("name", False),
        "date": db.now.date().isoformat(),
        "quantity": 1.0,
        "payment_mode": "own_account",
        "currency_id": 1,
        "company_id": 1,
        "company_currency_id": 1,
        "attachment_ids": [],
        "account_id": 30,
        **vals,
        "total_amount": amount,
        "total_amount_currency": amount,
        "price_unit": amount,
    }
    return db.insert("hr.expense", **values)


def _sheet(db: Database, vals: Row) -> int:
    lines = [line for command in vals.pop("expense_line_ids", []) for line in command[2]]
    rows = [db.get("hr.expense", line) for line in lines]
    if len({row["payment_mode"] for row in rows}) > 1:
        raise UserError('All expenses in an expense report must have the same "paid by" criteria.')
    sheet_id = db.insert("hr.expense.sheet", state="draft", expense_line_ids=lines, **vals)
    for line in lines:
        db.update("hr.expense", line, sheet_id=sheet_id, state="reported")
    return sheet_id
