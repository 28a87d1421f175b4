"""``aie plugins`` and ``aie PLUGIN …``, with real packages on the path."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine, new_vault
from tests.plugin_dists import GOOD, write_dist

RICH = """
    import click
    from pydantic import BaseModel, Field, SecretStr

    from aie.actions import ActionHandler, Effect
    from aie.events import EventTypeSpec
    from aie.hookspecs import hookimpl
    from aie.touches import Touches


    class Order(BaseModel):
        '''An order.'''
        product: str = Field(description="what to order")
        count: int = Field(default=1, description="how many")


    class Placed(BaseModel):
        number: str


    class Settings(BaseModel):
        url: str = Field(default="https://shop.example", description="where the shop is")
        token: SecretStr | None = Field(default=None, description="the key to it")


    class Delivered(BaseModel):
        number: str | None = Field(None, description="the order's number")


    @hookimpl
    def aie_settings():
        return Settings


    @hookimpl
    def aie_event_types():
        return [EventTypeSpec("delivered", Delivered, {"number": "A-1"}, "an order arrived")]


    @hookimpl
    def aie_action_handlers(settings):
        return [
            ActionHandler(
                name="order", params=Order, run=print, summary="orders a thing", result=Placed, effect=Effect.EXTERNAL,
                touches=Touches.at("https://shop.example/api"), example={"product": "tea"},
            )
        ]


    @hookimpl
    def aie_cli():
        @click.command()
        @click.argument("word")
        def command(word):
            click.echo(f"shop says {word}")
        return command
"""
NOTHING = {"actions": [], "event_types": [], "sources": [], "sinks": [], "channels": [], "connections": []}


@pytest.fixture
def aie(tmp_path: Path) -> CommandLine:
    return new_vault(tmp_path)


def by_name(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {record["name"]: record for record in records}


def test_list_shows_what_works_what_is_off_and_what_is_broken_and_why(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-greeter", GOOD, version="2.1")
    write_dist(aie.site, "aie-sulky", "raise SystemExit('no')")
    write_dist(aie.site, "aie-idle", GOOD)
    (aie.vault / "aie.toml").write_text('[plugins]\ndisabled = ["idle"]\n')
    ran = aie("plugins", "list", "--json")
    assert ran.code == 0
    found = by_name(ran.records)
    assert list(found) == ["core", "greeter", "idle", "sulky", "vault"]
    origin = str(aie.site)
    assert found["greeter"] == {
        "name": "greeter",
        "package": "aie-greeter",
        "version": "2.1",
        "origin": origin,
        "publisher": "",
        "state": "ok",
        "reason": "",
        "hint": "",
        "adds": {**NOTHING, "actions": ["greet"]},
    }
    assert (found["idle"]["state"], found["idle"]["reason"], found["idle"]["adds"]) == (
        "off",
        "aie.toml has it in [plugins] disabled",
        NOTHING,
    )
    assert (found["sulky"]["state"], found["sulky"]["adds"]) == ("broken", NOTHING)
    assert found["sulky"]["reason"].endswith("tried to end the program with no")
    assert found["vault"]["adds"] == {
        "actions": ["create_file", "move_file", "send_notification"],
        "event_types": [],
        "sources": ["vault.files"],
        "sinks": ["failures"],
        "channels": ["vault.notes", "vault.notices", "vault.waiting"],
        "connections": [],
    }


def test_list_reads_well_in_eighty_columns_and_says_what_to_do_about_the_broken_one(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-sulky", "import nowhere_to_be_found")
    ran = aie("plugins", "list")
    lines = ran.out.splitlines()
    assert [line for line in lines[: lines.index("")] if len(line) > 80] == []
    reason = next(line for line in lines if line.startswith("sulky: "))
    assert "needs the module 'nowhere_to_be_found', which is not installed" in reason
    assert lines[lines.index(reason) + 1].startswith("  Next: ")


def test_list_works_outside_of_any_vault(aie: CommandLine, tmp_path: Path) -> None:
    ran = aie("plugins", "list", "--json", folder=tmp_path)
    assert (ran.code, [record["name"] for record in ran.records]) == (0, ["core", "vault"])


def test_show_has_events_actions_settings_and_what_it_touches(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-shop", RICH)
    (record,) = aie("plugins", "show", "shop", "--json").records
    number = {"name": "number", "type": "text", "required": False, "default": None, "description": "the order's number"}
    assert record == {
        "name": "shop",
        "package": "aie-shop",
        "version": "1.0",
        "origin": str(aie.site),
        "publisher": "",
        "state": "ok",
        "reason": "",
        "hint": "",
        "adds": {**NOTHING, "actions": ["order"], "event_types": ["delivered"]},
        "touches": {"hosts": ["shop.example"], "folders": [], "commands": []},
        "actions": [
            {
                "name": "order",
                "summary": "orders a thing",
                "effect": "external",
                "asks_first": True,
                "repeatable": False,
                "touches": {"hosts": ["shop.example"], "folders": [], "commands": []},
                "parameters": [
                    {
                        "name": "product",
                        "type": "text",
                        "required": True,
                        "default": None,
                        "description": "what to order",
                    },
                    {
                        "name": "count",
                        "type": "whole number",
                        "required": False,
                        "default": 1,
                        "description": "how many",
                    },
                ],
                "result": [{"name": "number", "type": "text", "required": True, "default": None, "description": ""}],
                "example": {"product": "tea"},
            }
        ],
        "event_types": [
            {"name": "delivered", "summary": "an order arrived", "fields": [number], "example": {"number": "A-1"}}
        ],
        "sources": [],
        "sinks": [],
        "channels": [],
        "connections": [],
        "settings": [
            {
                "name": "url",
                "type": "text",
                "required": False,
                "default": "https://shop.example",
                "description": "where the shop is",
                "key": "[plugins.shop] url",
                "variable": "AIE_SHOP__URL",
                "secret": False,
            },
            {
                "name": "token",
                "type": "text",
                "required": False,
                "default": None,
                "description": "the key to it",
                "key": "[plugins.shop] token",
                "variable": "AIE_SHOP__TOKEN",
                "secret": True,
            },
        ],
    }


def test_show_says_the_same_in_words(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-shop", RICH)
    ran = aie("plugins", "show", "shop")
    assert ran.out == (
        "shop: aie-shop 1.0\n"
        "  State      ok\n"
        f"  From       {aie.site}\n"
        "  Touches    network: shop.example\n"
        "\n"
        "Action order: orders a thing\n"
        "  acts outside the house (network: shop.example); asks first; is never repeated by guessing\n"
        "    product (text, required): what to order\n"
        "    count (whole number, default 1): how many\n"
        "  gives  number\n"
        '  example  {"product": "tea"}\n'
        "\n"
        "Event delivered: an order arrived\n"
        "    number (text): the order's number\n"
        '  example  {"number": "A-1"}\n'
        "\n"
        "Settings, in aie.toml or in the environment\n"
        '    url (text, default "https://shop.example"): where the shop is\n'
        "      [plugins.shop] url, AIE_SHOP__URL\n"
        "    token (text): the key to it\n"
        "      environment only, AIE_SHOP__TOKEN\n"
    )


def test_show_of_a_broken_plugin_has_the_traceback_for_those_who_ask(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-sulky", "raise ValueError('bad day')")
    plain = aie("plugins", "show", "sulky")
    verbose = aie("plugins", "show", "sulky", "--verbose")
    assert "bad day" in plain.out
    assert "Traceback" not in plain.out
    assert "Traceback (most recent call last)" in verbose.out
    (record,) = aie("plugins", "show", "sulky", "--json").records
    assert (record["state"], record["actions"], "traceback" in record) == ("broken", [], False)


def test_show_of_what_is_not_installed_names_the_package(aie: CommandLine) -> None:
    ran = aie("plugins", "show", "gmail", "--json")
    assert (ran.code, ran.records) == (
        1,
        [
            {
                "error": "no plugin named 'gmail' is installed",
                "where": "aie.plugins",
                "hint": "aie plugins install aie-gmail",
            }
        ],
    )


def test_a_plugin_brings_a_command_of_its_own(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-shop", RICH)
    ran = aie("shop", "hello")
    assert (ran.code, ran.out) == (0, "shop says hello\n")


def test_a_plugin_without_a_command_and_no_plugin_at_all_are_wrong_usage(aie: CommandLine) -> None:
    assert aie("vault").code == 2
    assert aie("nonsense").code == 2


def test_the_command_of_a_broken_plugin_says_why(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-sulky", "raise ValueError('bad day')")
    ran = aie("sulky", "hello")
    assert (ran.code, ran.err.splitlines()[0]) == (
        1,
        "Error: the plugin 'sulky' is broken: importing it raised ValueError: bad day",
    )


def test_the_help_has_every_command(aie: CommandLine) -> None:
    ran = aie("plugins", "--help")
    words = [line.split()[1] for line in ran.out.splitlines() if line.startswith("│ ") and line[2] != " "]
    assert (ran.code, words[-8:]) == (0, ["list", "show", "check", "new", "install", "remove", "enable", "disable"])


# --- enable and disable -------------------------------------------------------------------------------------------

TOML = """\
# my settings
timezone = "Europe/Berlin"   # where I am

[plugins]
disabled = [
    "idle",  # for now
]

[plugins.vault]
watch = ["Inbox"]
"""


def test_a_plugin_is_turned_off_and_on_and_the_file_keeps_its_comments(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-greeter", GOOD)
    write_dist(aie.site, "aie-idle", GOOD)
    settings = aie.vault / "aie.toml"
    settings.write_text(TOML)
    off = aie("plugins", "disable", "greeter")
    assert (off.code, off.out) == (
        0,
        "greeter is off.\nAn aie start that is running keeps what it has loaded: end it and start it again.\n",
    )
    assert settings.read_text() == TOML.replace('"idle",  # for now\n', '"idle",  # for now\n    "greeter",\n')
    (listed,) = [each for each in aie("plugins", "list", "--json").records if each["name"] == "greeter"]
    assert (listed["state"], listed["reason"]) == ("off", "aie.toml has it in [plugins] disabled")
    assert aie("plugins", "disable", "greeter").out == "greeter is off already.\n"
    on = aie("plugins", "enable", "greeter", "--json")
    assert (on.code, by_name(on.records)["greeter"]["state"]) == (0, "ok")
    assert settings.read_text() == TOML
    assert aie("plugins", "enable", "greeter").out == "greeter is not turned off.\n"


def test_a_vault_without_the_table_gets_one(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-greeter", GOOD)
    assert aie("plugins", "disable", "greeter").code == 0
    assert (aie.vault / "aie.toml").read_text() == '[plugins]\ndisabled = ["greeter"]\n'


def test_a_plugin_that_is_on_again_and_cannot_be_used_says_why(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-sulky", "raise ValueError('bad day')")
    write_dist(aie.site, "aie-greeter", GOOD)
    (aie.vault / "aie.toml").write_text('[plugins]\ndisabled = ["sulky", "greeter"]\nallow = ["vault", "sulky"]\n')
    sulky, greeter = aie("plugins", "enable", "sulky"), aie("plugins", "enable", "greeter")
    assert (sulky.code, greeter.code) == (1, 1)
    assert sulky.out.splitlines()[:2] == ["sulky is on again.", "  Why        importing it raised ValueError: bad day"]
    assert greeter.out.splitlines()[1].startswith("  Why        aie.toml does not allow it: neither 'greeter' nor ")


@pytest.mark.parametrize(
    ("command", "name", "error"),
    [
        ("disable", "core", "the plugin 'core' cannot be turned off"),
        ("disable", "vaul", "no plugin named 'vaul' is installed"),
        ("enable", "vaul", "no plugin named 'vaul' is installed"),
    ],
)
def test_what_cannot_be_switched_is_an_error_and_the_file_stays(
    aie: CommandLine, command: str, name: str, error: str
) -> None:
    ran = aie("plugins", command, name, "--json")
    assert (ran.code, ran.records[0]["error"]) == (1, error)
    assert (aie.vault / "aie.toml").read_text() == ""


# --- check --------------------------------------------------------------------------------------------------------

WITHOUT_EXAMPLE = RICH.replace(', example={"product": "tea"}', "")


def test_a_plugin_is_held_to_the_contract_with_the_settings_of_the_vault(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-shop", WITHOUT_EXAMPLE)
    good, bad = aie("plugins", "check", "vault"), aie("plugins", "check", "shop")
    assert (good.code, good.out.splitlines()[0].endswith("went well, 0 did not")) == (0, True)
    assert (bad.code, bad.err) == (1, "")
    assert "example: action order\n  Why        it has no example\n  Next       give it parameters" in bad.out
    records = aie("plugins", "check", "shop", "--json").records
    assert {
        "plugin": "shop",
        "check": "example",
        "subject": "action order",
        "outcome": "failed",
        "message": "it has no example",
    } in [{key: value for key, value in record.items() if key != "hint"} for record in records]


def test_a_plugin_that_is_one_file_is_checked_as_well_and_has_a_command(aie: CommandLine) -> None:
    (aie.vault / "plugins").mkdir()
    (aie.vault / "plugins" / "shop.py").write_text(textwrap.dedent(WITHOUT_EXAMPLE))
    (aie.vault / "aie.toml").write_text('[plugins]\nfiles = { shop = "plugins/shop.py" }\n')
    ran = aie("plugins", "check", "shop")
    assert (ran.code, "example: action order\n" in ran.out) == (1, True)
    assert aie("shop", "hello").out == "shop says hello\n"


def test_what_cannot_be_used_cannot_be_checked(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-greeter", GOOD)
    (aie.vault / "aie.toml").write_text('[plugins]\ndisabled = ["greeter"]\n')
    off, absent = aie("plugins", "check", "greeter", "--json"), aie("plugins", "check", "greet", "--json")
    assert [(ran.code, ran.records[0]["error"]) for ran in (off, absent)] == [
        (1, "the plugin 'greeter' is turned off: aie.toml has it in [plugins] disabled"),
        (1, "no plugin named 'greet' is installed"),
    ]
