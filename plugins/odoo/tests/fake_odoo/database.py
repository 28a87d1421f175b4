"""The records of one database, who may do what, and when things happened."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from fake_odoo.domains import OPERATORS, matches
from fake_odoo.errors import AccessError, MissingError

HERE = Path(__file__).parent
Row = dict[str, Any]

LOGGED = {"id": "integer readonly", "create_date": "datetime readonly", "write_date": "datetime readonly"}
OTHER_MODELS = {  # models whose fields were not captured: those that the captured exchanges and Odoo's source name
    "res.users": "name:char login:char company_id:many2one>res.company lang:char tz:char",
    "res.users.apikeys": "name:char user_id:many2one>res.users scope:char expiration_date:datetime",
    "res.company": "name:char currency_id:many2one>res.currency country_id:many2one>res.country",
    "res.currency": "name:char active:boolean rounding:float decimal_places:integer",
    "res.country": "name:char code:char",
    "product.product": "name:char default_code:char list_price:float standard_price:float can_be_expensed:boolean"
    " taxes_id:many2many>account.tax supplier_taxes_id:many2many>account.tax active:boolean uom_id:many2one>uom.uom",
    "account.tax": "name:char amount:float amount_type:selection type_tax_use:selection price_include:boolean"
    " company_id:many2one>res.company",
    "account.journal": "name:char code:char type:selection currency_id:many2one>res.currency"
    " company_id:many2one>res.company",
    "account.payment": "amount:monetary date:date state:selection partner_id:many2one>res.partner"
    " journal_id:many2one>account.journal currency_id:many2one>res.currency",
    "account.payment.register": "amount:monetary payment_date:date communication:char"
    " journal_id:many2one>account.journal",
    "ir.attachment": "name:char res_model:char res_id:integer datas:binary mimetype:char",
}
LABELS = {
    "account.move": "Journal Entry", "res.partner": "Contact", "hr.expense": "Expense",
    "account.payment": "Payments", "hr.employee": "Employee",
}  # fmt: skip


class Database:
    """All of it. ``now`` is the server's clock, which a test moves."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.name = f"odoo{version}"
        self.now = dt.datetime(2026, 11, 23, 6, 0, 0, 250_000)  # noqa: DTZ001 - UTC without saying so, as Odoo keeps it
        self.fields = _fields(version)
        self.rows: dict[str, dict[int, Row]] = {model: {} for model in self.fields}
        self.next_ids: dict[str, int] = {}
        self.denied: set[tuple[int, str, str]] = set()  # (uid, model, operation)
        self.unseen: set[tuple[str, int]] = set()  # of transactions that have not committed
        self.passwords: dict[str, tuple[int, str]] = {}
        self.api_keys: dict[str, int] = {}
        self.expense_states = (
            ["draft", "submitted", "approved", "posted", "in_payment", "paid", "refused"]
            if version >= 19
            else ["draft", "reported", "submitted", "approved", "done", "refused"]
        )

    def uninstall(self, *models: str) -> None:
        for model in models:
            del self.fields[model], self.rows[model]

    # --- records --------------------------------------------------------------------------------------------------

    def insert(self, model: str, **values: Any) -> int:
        """A record as it is, without rules."""
        record_id = values.pop("id", None) or self.next_ids.get(model, 1)
        self.next_ids[model] = max(self.next_ids.get(model, 1), record_id + 1)
        stamps = {"create_date": self.now, "write_date": self.now}
        self.rows[model][record_id] = {"id": record_id, **stamps, **values}
        return record_id

    def update(self, model: str, record_id: int, **values: Any) -> None:
        self.rows[model][record_id] |= {"write_date": self.now, **values}

    def hide(self, model: str, record_id: int) -> None:
        """As inside a long transaction: made and stamped, and seen by nobody until :meth:`commit`."""
        self.unseen.add((model, record_id))

    def commit(self) -> None:
        self.unseen.clear()

    def get(self, model: str, record_id: int, uid: int = 0) -> Row:
        row = self.rows[model].get(record_id)
        if row is None or (model, record_id) in self.unseen:
            raise MissingError(
                f"Record does not exist or has been deleted.\n(Record: {model}({record_id},), User: {uid})"
            )
        return row

    def search(self, model: str, domain: list[Any], context: Row, order: str = "id asc") -> list[int]:
        self._check_domain(model, domain)
        hide = "active" in self.fields[model] and context.get("active_test", True)
        found = [
            row
            for record_id, row in self.rows[model].items()
            if (model, record_id) not in self.unseen
            and not (hide and row.get("active") is False)
            and matches(domain, lambda name: self._value(model, row, name), whole_seconds=self.version >= 19)  # noqa: B023
        ]
        for part in reversed(order.split(",")):
            name, _, direction = part.strip().partition(" ")
            found.sort(key=lambda row: row.get(name) or 0, reverse=direction == "desc")
        return [row["id"] for row in found]

    def read(self, model: str, ids: list[int], fields: list[str] | None, load: str = "_classic_read") -> list[Row]:
        for name in fields or ():
            self.field(model, name, "on" if self.version >= 19 else "on model")
        return [
            {
                "id": record_id,
                **{
                    name: self.sent(model, self.rows[model][record_id], name, load)
                    for name in fields or self.fields[model]
                },
            }
            for record_id in ids
            if record_id in self.rows[model] and (model, record_id) not in self.unseen
        ]

    def sent(self, model: str, row: Row, name: str, load: str = "_classic_read") -> Any:
        """A value as it goes over the wire."""
        kind, _, relation = self.fields[model][name].split(" ")[0].partition(">")
        value = row.get(name, False)
        if kind == "many2one" and value and load:
            return [value, self.name_of(relation, value)]
        if kind in ("one2many", "many2many"):
            return list(value or ())
        if kind in ("monetary", "float"):
            return float(value or 0)
        if kind == "integer":
            return int(value or 0)
        if kind == "datetime" and value:
            return value.strftime("%Y-%m-%d %H:%M:%S")
        return False if value is None or value == "" else value

    def name_of(self, model: str, record_id: int) -> str:
        row = self.rows.get(model, {}).get(record_id, {})
        code = row.get("default_code")
        return f"[{code}] {row['name']}" if code else str(row.get("name") or "")

    def field(self, model: str, name: str, where: str) -> str:
        if name != "id" and name not in self.fields[model]:
            raise ValueError(f"Invalid field '{name}' {where} '{model}'")
        return self.fields[model].get(name, "integer")

    def _value(self, model: str, row: Row, name: str) -> Any:
        return row.get(name, [] if "2many" in self.fields[model].get(name, "") else False)

    def _check_domain(self, model: str, domain: list[Any]) -> None:
        for term in domain:
            if term in ("&", "|", "!"):
                continue
            name, operator, _ = term
            shown = tuple(term)
            if name != "id" and name not in self.fields[model]:
                place = "condition" if self.version >= 19 else "leaf"
                raise ValueError(f"Invalid field {model}.{name} in {place} {shown!r}")
            if operator not in OPERATORS:
                said = "operator in condition" if self.version >= 19 else "leaf"
                raise ValueError(f"Invalid {said} {shown!r}")

    # --- rights ---------------------------------------------------------------------------------------------------

    def may(self, uid: int, model: str, operation: str) -> bool:
        return (uid, model, operation) not in self.denied

    def check(self, uid: int, model: str, operation: str) -> None:
        if not self.may(uid, model, operation):
            doing = "access" if operation == "read" else operation
            raise AccessError(
                f"You are not allowed to {doing} '{LABELS.get(model, model)}' ({model}) records.\n\nThis operation is"
                " allowed for the following groups:\n\t- Invoicing/Billing\n\nContact your administrator to request"
                " access if necessary."
            )


def _fields(version: int) -> dict[str, dict[str, str]]:
    fields: dict[str, dict[str, str]] = json.loads((HERE / f"fields_{version}.json").read_text())
    for model, text in OTHER_MODELS.items():
        fields[model] = dict(part.split(":") for part in text.split()) | LOGGED
    fields["account.payment"]["memo" if version >= 18 else "ref"] = "char"
    return fields
