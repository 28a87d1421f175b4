"""The work that is measured: one event, one condition, two small local actions, every step durable before the next.

aie is given it as a workflow file and a plugin, the others as the plain Python that their users would write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

EVENT_TYPE = "invoice_created"
SOURCE = "bench"
WORKFLOW_ID = "enter_invoice"

WORKFLOW: dict[str, Any] = {
    "workflow_id": WORKFLOW_ID,
    "name": "Enter an invoice",
    "trigger_event": EVENT_TYPE,
    "trigger_condition": "event['data'].get('amount', 0) > 100",
    "actions": [
        {
            "action_type": "add_entry",
            "parameters": {
                "title": "Invoice {{ event.data.invoice_number }}",
                "message": "Customer {{ event.data.customer_id }} owes {{ event.data.amount }}",
            },
        },
        {
            "action_type": "prepare_letter",
            "parameters": {
                "to": "{{ event.data.customer_email }}",
                "subject": "Invoice {{ event.data.invoice_number }}: {{ event.data.amount }}",
            },
            "condition": "event['data'].get('customer_email') is not None",
        },
    ],
}


def event_id(number: int) -> str:
    """Fixed width, so that every run's records are of the same size."""
    return f"evt-{number:08d}"


def event_data(number: int) -> dict[str, Any]:
    return {
        "amount": 500 + number % 400,
        "invoice_number": f"INV-2026-{number:08d}",
        "customer_id": 1000 + number % 9000,
        "customer_email": "customer@example.com",
    }


def event(number: int) -> dict[str, Any]:
    """The event as the peers get it."""
    return {"event_type": EVENT_TYPE, "source": SOURCE, "event_id": event_id(number), "data": event_data(number)}


def add_entry(title: str, message: str) -> dict[str, Any]:
    """The first action."""
    return {"entered": title, "characters": len(message)}


def prepare_letter(to: str, subject: str) -> dict[str, Any]:
    """The second action."""
    return {"to": to, "characters": len(subject)}


Action = Callable[[str, str], dict[str, Any]]


def carry_out(
    event: Mapping[str, Any], first: Action = add_entry, second: Action = prepare_letter
) -> list[dict[str, Any]] | None:
    """The whole of the work in plain Python; None if the event is none of its business."""
    data = event["data"]
    if not data.get("amount", 0) > 100:
        return None
    done = [first(f"Invoice {data['invoice_number']}", f"Customer {data['customer_id']} owes {data['amount']}")]
    if data.get("customer_email") is not None:
        done.append(second(data["customer_email"], f"Invoice {data['invoice_number']}: {data['amount']}"))
    return done


def make_vault(folder: Path, *workflows: Mapping[str, Any], settings: str = "") -> Path:
    """A vault in ``folder`` with these workflows, its state folder beside it."""
    vault = folder / "vault"
    (vault / "workflows").mkdir(parents=True)
    always = 'timezone = "Europe/Berlin"\nstate_dir = "../state"\nstarts_per_minute = 0\n'
    (vault / "aie.toml").write_text(always + settings, "utf-8")
    for number, definition in enumerate(workflows):
        (vault / "workflows" / f"{number:06d}.json").write_text(json.dumps(definition), "utf-8")
    return vault
