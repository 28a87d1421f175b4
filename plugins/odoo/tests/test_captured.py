"""The fake server held against what real ones answered, and the client fed with real answers."""

from __future__ import annotations

import asyncio
import json
import xmlrpc.client
from typing import Any

import httpx2
import pytest
from fake_odoo.canned import answering
from fake_odoo.captured import Exchange, answer_of, exchange, exchanges, request_of
from fake_odoo.office import API_KEY, LOW_KEY
from fake_odoo.shop import Shop

from aie.errors import ActionError
from aie_odoo import faults, wire
from aie_odoo.faults import AbsentError, DatabaseError, RefusedError, RightsError, ServerError, SignInError, raised
from aie_odoo.wire import Call, Json2

NOT_OURS = {
    *("account_id", "debit", "credit", "balance", "amount_currency", "tax_line_id", "date_maturity", "reconciled"),
    *("analytic_distribution", "journal_id", "account_move_id", "manager_id", "approval_date", "department_id"),
}
"""Fields that aie never asks for, which the fake server does not fill in as a whole ledger would."""


def shape(value: Any) -> Any:
    """Keys and types: what a program can rely on."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key not in NOT_OURS}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


def gist(one: Exchange, status: int, body: bytes) -> Any:
    """What an answer amounts to, in the terms of its protocol."""
    if one["proto"] == "xmlrpc":
        try:
            (result,), _ = xmlrpc.client.loads(body)
        except xmlrpc.client.Fault as fault:
            return "fault", fault.faultCode, raised(fault.faultString)[0]
        return shape(result)
    try:
        data = json.loads(body)
    except ValueError:
        return status, "a page"
    if one["proto"] == "jsonrpc":
        error = data.get("error")
        return (error["code"], error["data"]["name"], sorted(error["data"])) if error else shape(data)
    return (status, data["name"], sorted(data)) if status != 200 else shape(data)


LEFT_OUT = {"button_draft via JSON-RPC (method returning None)", "search hides archived"}
"""These, and two of JSON-2, are about records that exchanges made which are not among the captured ones here."""


def test_the_fake_server_answers_what_real_ones_were_asked_in_the_same_shape(shop: Shop) -> None:
    differing = []
    with httpx2.Client(base_url=shop.server.url, verify=False) as http:
        for one in exchanges(shop.version):
            if one["label"] in LEFT_OUT or (one["proto"], one["label"]) in (
                ("json2", "action_post"),
                ("json2", "read"),
            ):
                continue
            body, headers = request_of(one, LOW_KEY if "lowpriv" in one["label"] else API_KEY)
            answer = http.post(one["path"], content=body, headers=headers)
            expected, found = gist(one, one["status"], answer_of(one)[0]), gist(one, answer.status_code, answer.content)
            if found != expected:
                differing.append((one["proto"], one["label"], expected, found))
    assert differing == [], "\n".join(map(str, differing))


# --- the client and real answers ---------------------------------------------------------------------------------


async def hand_over(url: str, proto: str) -> Any:
    """The answer of a server through the client."""
    async with httpx2.AsyncClient(base_url=url, verify=False) as http:
        if proto == "json2":
            return await Json2(http, "db", "key").call(Call("res.partner", "method"))
        return await wire.ask(http, "object", "execute_kw", [], doing="res.partner.method")


CLASSES: dict[Any, type[ActionError]] = {
    2: RefusedError,
    3: SignInError,
    4: RightsError,
    "psycopg2.OperationalError": DatabaseError,
    "odoo.exceptions.AccessError": RightsError,
    "odoo.exceptions.UserError": RefusedError,
    "odoo.exceptions.ValidationError": RefusedError,
    "werkzeug.exceptions.NotFound": AbsentError,
    "werkzeug.exceptions.Unauthorized": SignInError,
}


def expected_class(one: Exchange) -> type[ActionError] | None:
    answer = one["answer"]
    if one["proto"] == "xmlrpc":
        if "fault" not in answer:
            return None
        code, text = answer["fault"]["faultCode"], answer["fault"]["faultString"]
        name = next((line.split(":")[0] for line in text.splitlines()[1:] if not line.startswith(" ")), "")
        return CLASSES.get(code) or CLASSES.get(name, ServerError)
    if one["status"] == 200:
        return None
    return DatabaseError if "unparsed" in answer else CLASSES.get(answer["name"], ServerError)


@pytest.mark.parametrize("version", [17, 19])
def test_the_client_takes_every_captured_answer_for_what_it_is(version: int) -> None:
    for one in exchanges(version):
        if one["proto"] == "jsonrpc":
            continue
        body, kind = answer_of(one)
        with answering(one["status"], body, kind) as url:
            wanted = expected_class(one)
            if wanted is None:
                result = asyncio.run(hand_over(url, one["proto"]))
                assert result == (one["answer"]["result"] if one["proto"] == "xmlrpc" else one["answer"]), one["label"]
                continue
            with pytest.raises(ActionError) as found:
                asyncio.run(hand_over(url, one["proto"]))
        assert (one["label"], type(found.value)) == (one["label"], wanted)
        assert "Traceback" not in str(found.value)
        assert "\n" not in str(found.value)


def test_the_class_of_a_fault_does_not_hang_on_its_words() -> None:
    """The same faults in a language that nobody here speaks."""
    for code, kind in ((2, RefusedError), (3, SignInError), (4, RightsError)):
        assert type(faults.from_fault(code, "すべて駄目です", "x")) is kind
    translated = exchange(17, "authenticate unknown db", "xmlrpc")["answer"]["fault"]["faultString"].replace(
        "does not exist", "existiert nicht"
    )
    assert type(faults.from_fault(1, translated, "x")) is DatabaseError


def test_the_name_of_an_exception_is_read_past_frames_and_long_messages() -> None:
    frames = '  File "/odoo/http.py", line 1, in x\n    f(y)\n    ^^^^\n'
    begin = "Traceback (most recent call last):\n"
    several = f"{begin}{frames}psycopg2.errors.InvalidTextRepresentation: invalid\nLINE 1: …\n        ^\n"
    chained = (
        f"{begin}{frames}KeyError: 'a'\n\nDuring handling of the above, another:\n\n{begin}{frames}ValueError: b\n"
    )
    assert raised(several) == ("psycopg2.errors.InvalidTextRepresentation", "invalid")
    assert raised(chained) == ("ValueError", "b")
    assert raised(f"{begin}{frames}AssertionError\n") == ("AssertionError", "")
    assert raised("no traceback at all") == ("", "")
