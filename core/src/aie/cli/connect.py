"""``aie connect``: give a plugin access to an account, and try it."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rich_click as click

from aie.cli.output import Output, WrongUseError, common_options, local
from aie.cli.terminal import safe, wrapped
from aie.cli.vaults import load_config
from aie.config import Config
from aie.connections import Connection
from aie.credentials import Credentials, CredentialStore
from aie.errors import AieError, ConfigError, NotFoundError
from aie.plugins.plugin import Offer
from aie.plugins.registry import Registry
from aie.settings_file import keep_settings
from aie.spelling import nearest


@click.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--set", "answers", metavar="KEY=VALUE", multiple=True, help="Answer a question beforehand. No secrets.")
@click.option("--paste", is_flag=True, help="No browser can be opened here: show addresses, and paste what comes back.")
@click.option("--forget", is_flag=True, help="Take away the stored credentials of this connection.")
@common_options
def command(
    name: str | None, answers: tuple[str, ...], paste: bool, forget: bool, vault: Path | None, output: Output
) -> None:
    """Give a plugin access to an account: it asks for what it needs, tries it, and stores it.

    Secrets go into the system's keyring, or into a file outside the vault that only you may read. Without a NAME it
    lists what can be connected and how that stands. In a script, secrets are read from standard input, a line each.

    \b
    Examples:
      aie connect gmail
      aie connect odoo --set url=https://odoo.example.com
    """
    config = load_config(vault)
    store = CredentialStore(config.credentials_dir, os.environ)
    registry = Registry.load(config)
    if name is None:
        _list(registry.connections(), store, config, output)
        return
    offer = _offer(name, registry)
    if forget:
        gone = store.of(name).forget()
        output.record({"name": name, "forgotten": gone})
        output.line(f"The credentials of {name} are gone." if gone else f"Nothing was stored for {name}.")
        return
    desk = Desk(offer, store.of(name), config, output, answers=_answers(answers), paste=paste)
    try:
        asyncio.run(_connect(offer.item, desk))
    except AieError as error:
        raise type(error)(store.masked(error.message), where=error.where, hint=store.masked(error.hint)) from None
    if unused := desk.unused():
        near = nearest(unused[0], desk.asked)
        hint = f"did you mean {near!r}?" if near else "it asks for: " + (", ".join(desk.asked) or "nothing")
        output.line(f"Warning: {name} did not ask for {unused[0]!r}; {hint}")
    record = store.of(name).record
    output.record({"name": name, "account": record.account if record else "", "connected": True})
    whose = f" as {record.account}" if record and record.account else ""
    output.line(f"{name} is connected{whose}. aie doctor looks at it any time.")


async def _connect(connection: Connection, desk: Desk) -> None:
    await connection.connect(desk)


class Desk:
    """Asks at the terminal; implements :class:`~aie.connections.ConnectDesk`."""

    def __init__(
        self,
        offer: Offer[Connection],
        credentials: Credentials,
        config: Config,
        output: Output,
        *,
        answers: Mapping[str, str],
        paste: bool,
    ) -> None:
        self.settings: Any = offer.settings
        self.vault = config.vault
        self.timezone = config.timezone
        self.credentials = credentials
        self.log = logging.getLogger(f"aie.plugin.{offer.plugin}")
        self.cache_dir = config.cache_dir(offer.plugin)
        self.paste = paste
        self.asked: list[str] = []
        self._plugin = offer.plugin
        self._answers = dict(answers)
        self._output = output

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def ask(
        self, key: str, question: str, *, default: str = "", secret: bool = False, choices: Sequence[str] = ()
    ) -> str:
        self.asked.append(key)
        if secret and key in self._answers:
            raise WrongUseError(
                f"{key} is a secret, and other users of this machine can read command lines",
                where=f"--set {key}=…",
                hint="leave it out and type it when asked, or hand it over on standard input",
            )
        answer = self._answers.get(key)
        while answer is None:
            answer = self._typed(question, default, secret, choices).strip() or default
            if choices and answer not in choices and sys.stdin.isatty():
                self.say(f"Write one of: {', '.join(choices)}")
                answer = None
        if choices and answer not in choices:
            near = nearest(answer, choices)
            hint = f"did you mean {near!r}?" if near else f"write one of: {', '.join(choices)}"
            raise WrongUseError(f"{answer!r} is not an answer to: {question}", where=key, hint=hint)
        return self.credentials.remember(answer) if secret else answer

    def _typed(self, question: str, default: str, secret: bool, choices: Sequence[str]) -> str:
        offered = f" ({', '.join(choices)})" if choices else ""
        usual = f" [{default}]" if default else ""
        prompt = f"{safe(question)}{offered}{usual}: "
        try:
            if sys.stdin.isatty():
                return getpass.getpass(prompt) if secret else input(prompt)
            line = sys.stdin.readline()
        except EOFError:
            line = ""
        if not line and not default:
            hint = "hand it over on standard input" if secret else f"--set {self.asked[-1]}=…"
            raise WrongUseError(f"nobody is here to answer: {question}", where=self.asked[-1], hint=hint)
        return line.rstrip("\r\n")

    def say(self, text: str) -> None:
        for line in text.split("\n"):
            for piece in wrapped(line):
                self._output.line(piece)

    def open_page(self, address: str) -> None:
        self._output.line(f"\n  {safe(address)}\n")
        if not self.paste:
            webbrowser.open(address)

    def keep_settings(self, values: Mapping[str, Any]) -> None:
        keep_settings(self.vault, self._plugin, values)

    def unused(self) -> list[str]:
        return [key for key in self._answers if key not in self.asked]


def _answers(given: Sequence[str]) -> dict[str, str]:
    answers = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise WrongUseError(
                f"{text!r} is not KEY=VALUE", where="--set", hint="for example --set user=me@example.com"
            )
        answers[key.strip()] = value.strip()
    return answers


def _offer(name: str, registry: Registry) -> Offer[Connection]:
    offers = {offer.item.name: offer for offer in registry.connections()}
    if name in offers:
        return offers[name]
    info = next((info for info in registry.plugins if info.name == name), None)
    if info is not None and info.reason:
        raise ConfigError(f"the plugin {name} cannot be used: {info.reason}", where=name, hint=info.hint)
    if info is not None:
        raise NotFoundError(
            f"the plugin {name!r} needs no connection", where=name, hint="aie connect lists those that do"
        )
    try:
        registry.info(name)
    except NotFoundError as error:
        near = nearest(name, offers)
        hint = f"did you mean {near!r}?" if near else error.hint
        raise NotFoundError(f"nothing named {name!r} can be connected", where=name, hint=hint) from None
    raise AssertionError(name)


def _list(offers: Sequence[Offer[Connection]], store: CredentialStore, config: Config, output: Output) -> None:
    rows = []
    for offer in offers:
        record = store.of(offer.item.name).record
        stands = "not connected" if record is None else "does not work" if record.trouble else "connected"
        expires = record.expires_at if record else None
        output.record(
            {
                "name": offer.item.name,
                "plugin": offer.plugin,
                "connected": record is not None,
                "account": record.account if record else "",
                "expires_at": expires.isoformat() if expires else None,
                "trouble": record.trouble if record else "",
                "summary": offer.item.summary,
            }
        )
        until = f", until {local(expires, config.timezone)[:10]}" if expires else ""
        account = safe(record.account) if record else ""
        rows.append((offer.item.name, f"{stands}{until}", account, safe(offer.item.summary)))
    output.table(("Name", "State", "Account", "What for"), rows, empty="No installed plugin needs a connection.")
    if rows:
        output.line("\nConnect one: aie connect NAME")
