"""What was captured of real servers of version 17 and 19: requests, and what they were answered with."""

from __future__ import annotations

import json
import xmlrpc.client
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Exchange = dict[str, Any]


def exchanges(version: int, proto: str = "") -> list[Exchange]:
    """In the order they took place; each with proto, label, path, request, status and answer."""
    found: list[Exchange] = json.loads((HERE / f"captured_{version}.json").read_text(encoding="utf-8"))
    return [one for one in found if proto in ("", one["proto"])]


def exchange(version: int, label: str, proto: str) -> Exchange:
    return next(one for one in exchanges(version, proto) if one["label"] == label)


def request_of(one: Exchange, api_key: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers, with a key in place of the one that was cut out."""
    if one["proto"] == "xmlrpc":
        params = [api_key if value == "<api-key>" else value for value in one["request"]["params"]]
        body = xmlrpc.client.dumps(tuple(params), one["request"]["method"], allow_none=True)
        return body.encode(), {"Content-Type": "text/xml"}
    headers = {"Content-Type": "application/json"}
    if one["proto"] == "jsonrpc":
        return json.dumps(one["request"]).encode(), headers
    headers |= {name: value.replace("<api-key>", api_key) for name, value in one["request"]["headers"].items()}
    return json.dumps(one["request"]["body"]).encode(), headers


def answer_of(one: Exchange) -> tuple[bytes, str]:
    """The answer's body as it was on the wire, and its type."""
    answer = one["answer"]
    if one["proto"] == "xmlrpc":
        if "fault" in answer:
            fault = xmlrpc.client.Fault(answer["fault"]["faultCode"], answer["fault"]["faultString"])
            return xmlrpc.client.dumps(fault).encode(), "text/xml"
        return xmlrpc.client.dumps((answer["result"],), methodresponse=True).encode(), "text/xml"
    if isinstance(answer, dict) and "unparsed" in answer:
        return answer["unparsed"].encode(), "text/html"
    return json.dumps(answer).encode(), "application/json"
