"""The contract catches each way to break it: a small plugin per check, and what its author is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, Field

from aie import ActionContext, Event, LookUp, hookimpl
from aie.approvals import ApprovalChannel
from aie.connections import Finding
from aie.errors import ActionError, NotFoundError
from aie.records import AuditSink
from aie.testing import Home, Report, contract, examine
from tests.board import BOARD, CONNECTION, EVENT_TYPE, HANDLER, SECRET, SOURCE, Plugin, Post, post


def examined(plugin: object, **more: Any) -> Report:
    """The whole examination, with all that a test can give."""
    BOARD.posts.clear()
    known: dict[str, Any] = {
        "credentials": {"token": SECRET},
        "state": BOARD.state,
        "stalled": BOARD.stalled,
        "news": {"board.messages": lambda home: BOARD.posts.update(new="Something new")},
    }
    return examine({"board": plugin}, **{**known, **more})


def declared(plugin: object, **more: Any) -> list[tuple[str, str, str, str]]:
    """What is wrong with what it says of itself."""
    return said(examine({"board": plugin}, **more))


def said(report: Report) -> list[tuple[str, str, str, str]]:
    return [(check.name, check.subject, check.message, check.hint) for check in report.failed]


def action(**changes: Any) -> Plugin:
    return Plugin(handlers=(replace(HANDLER, **changes),))


# --- as it should be -----------------------------------------------------------------------------------------------


def test_a_plugin_that_is_as_it_should_be_passes_with_every_check_tried():
    report = examined(Plugin())
    assert [(check.name, check.subject, str(check.outcome)) for check in report.checks] == [
        ("import", "plugin board", "not tried"),
        ("hooks", "plugin board", "ok"),
        ("settings", "plugin board", "ok"),
        ("hooks", "aie_event_types", "ok"),
        ("names", "event type board_message", "ok"),
        ("hooks", "aie_event_sources", "ok"),
        ("names", "source board.messages", "ok"),
        ("hooks", "aie_action_handlers", "ok"),
        ("names", "action post_message", "ok"),
        ("hooks", "aie_connections", "ok"),
        ("names", "connection board", "ok"),
        ("descriptions", "event type board_message", "ok"),
        ("names", "event type board_message", "ok"),
        ("descriptions", "source board.messages", "ok"),
        ("events", "source board.messages", "ok"),
        ("descriptions", "action post_message", "ok"),
        ("descriptions", "result of post_message", "ok"),
        ("names", "parameters of post_message", "ok"),
        ("example", "action post_message", "ok"),
        ("look-up", "action post_message, before it was carried out", "ok"),
        ("dry run", "action post_message", "ok"),
        ("result", "action post_message", "ok"),
        ("look-up", "action post_message, after it was carried out", "ok"),
        ("repeat", "action post_message", "ok"),
        ("secrets", "action post_message", "ok"),
        ("secrets", "action post_message, with wrong credentials", "ok"),
        ("timeout", "action post_message", "ok"),
        ("cancellation", "action post_message", "ok"),
        ("events", "source board.messages", "ok"),
        ("cancellation", "source board.messages", "ok"),
        ("secrets", "source board.messages", "ok"),
        ("cancellation", "source board.messages, with a stalled service", "ok"),
        ("doctor", "connection board", "ok"),
    ]


def test_without_a_stand_in_nothing_is_carried_out_and_the_report_says_so():
    BOARD.posts.clear()
    report = contract({"board": Plugin()})
    assert BOARD.posts == {}
    assert report.text() == (
        "The plugin 'board' keeps to the contract.\n"
        "\n"
        "Not tried:\n"
        "  import: plugin board: it was handed over as an object, not as a module\n"
        "  behaviour: plugin board: no state was given: nothing was carried out"
    )


def test_every_violation_is_in_the_error_with_where_and_what_to_do():
    with pytest.raises(AssertionError) as caught:
        contract({"board": action(summary="", example=None)})
    assert str(caught.value) == (
        "The plugin 'board' breaks the contract in 2 places.\n"
        "\n"
        "descriptions: action post_message\n"
        "  it has no summary\n"
        '  Next: say in one line what it does: summary="…"\n'
        "\n"
        "example: action post_message\n"
        "  it has no example\n"
        "  Next: give it parameters as a workflow may have them: example={…}; people see them\n"
        "\n"
        "Not tried:\n"
        "  import: plugin board: it was handed over as an object, not as a module\n"
        "  behaviour: plugin board: no state was given: nothing was carried out"
    )


def test_a_check_as_data_has_the_same_keys_whatever_came_of_it():
    report = examine({"board": action(example=None)})
    assert [check.as_dict() for check in (report.checks[0], report.failed[0])] == [
        {
            "check": "import", "subject": "plugin board", "outcome": "not tried",
            "message": "it was handed over as an object, not as a module", "hint": "",
        },
        {
            "check": "example", "subject": "action post_message", "outcome": "failed", "message": "it has no example",
            "hint": "give it parameters as a workflow may have them: example={…}; people see them",
        },
    ]  # fmt: skip


def test_a_plugin_that_is_not_installed_is_no_finding_but_an_error():
    with pytest.raises(NotFoundError, match="no plugin named 'slck' is installed"):
        examine("slck")


# --- importing and hooks -------------------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a module of a source text and imports it; new each time."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, text: str) -> Any:
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        return __import__(name)

    yield make
    for name in [name for name, each in sys.modules.items() if str(tmp_path) in str(getattr(each, "__file__", ""))]:
        del sys.modules[name]


EMPTY = "from aie import hookimpl\n@hookimpl\ndef aie_event_types():\n    return []\n"


def test_a_module_that_imports_fast_and_does_nothing_else_passes(module: Any):
    assert examine({"board": module("board_quiet", EMPTY)}).checks[0].outcome == "ok"


def test_importing_that_takes_long_is_caught(module: Any):
    slow = "import time\nend = time.process_time() * 6\nwhile time.process_time() < end: pass\n"
    text = f"import os\nif 'BOARD_FAST' not in os.environ:\n    exec({slow!r})\n{EMPTY}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOARD_FAST", "1")
        made = module("board_slow", text)
    (found,) = declared(made)
    name, subject, message, hint = found
    assert (name, subject, hint) == (
        "import",
        "plugin board",
        "import what is slow where it is used; python -X importtime shows what that is",
    )
    assert message.startswith("importing board_slow takes ")
    assert message.endswith(" times as long as all of aie itself, more than 3")


def test_importing_that_touches_something_is_caught(module: Any, tmp_path: Path):
    made = module("board_writes", f"open({str(tmp_path / 'log')!r}, 'a').close()\n{EMPTY}")
    assert declared(made) == [
        (
            "import",
            "plugin board",
            f"importing board_writes touches something: opens for writing {tmp_path / 'log'}",
            "do that in the action or source that needs it",
        )
    ]


@pytest.mark.parametrize(
    ("touch", "words"),
    [
        (lambda: Path("/dev/null").write_text("x"), "opens for writing /dev/null"),
        (lambda: threading.Thread(target=print, daemon=True).start(), "starts a thread"),
        (lambda: time.sleep(0), "sleeps"),
        (lambda: __import__("subprocess").run(["true"], check=True), "starts the program true"),
    ],
)
def test_a_hook_that_does_more_than_answer_is_caught(touch: Any, words: str):
    (found,) = declared(Plugin(asked=touch))
    assert found[:2] == ("hooks", "aie_action_handlers")
    assert found[2].startswith(f"aie_action_handlers does more than answer: it {words}")
    assert (
        found[3]
        == "let the action or source do that when it runs: every command asks the hooks, aie plugins list included"
    )


def test_a_hook_that_connects_somewhere_is_caught():
    def knock() -> None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=1).close()

    (found,) = declared(Plugin(asked=knock))
    assert found[2] == (
        "aie_action_handlers does more than answer: it looks up the host 127.0.0.1; it connects to 127.0.0.1:9"
    )


def test_a_command_is_asked_for_and_watched_as_well():
    class WithCommand(Plugin):
        @hookimpl
        def aie_cli(self) -> Any:
            return Path("/dev/null").write_text("x", encoding="utf-8")

    assert declared(WithCommand()) == [
        ("hooks", "aie_cli", "aie_cli returned int", "it returns one click.Command or click.Group")
    ]


def test_a_module_that_only_this_process_has_is_not_imported_elsewhere():
    made = ModuleType("board_of_a_file")
    exec(EMPTY, vars(made))
    check = examine({"board": made}).checks[0]
    assert (check.outcome, check.message) == ("not tried", "another process could not import it by its name")


def test_a_hook_that_raises_hides_no_other():
    def fail() -> None:
        raise ValueError("no")

    plugin = Plugin(asked=fail, event_types=(replace(EVENT_TYPE, summary=""),))
    assert declared(plugin) == [
        ("hooks", "aie_action_handlers", "aie_action_handlers raised ValueError: no", ""),
        ("descriptions", "event type board_message", "it has no summary", 'say in one line what it does: summary="…"'),
    ]


def test_settings_that_are_missing_are_a_finding():
    class Settings(BaseModel):
        url: str = Field(description="where the board is")

    class WithSettings(Plugin):
        @hookimpl
        def aie_settings(self) -> Any:
            return Settings

    assert declared(WithSettings()) == [
        (
            "settings",
            "plugin board",
            "[plugins.board] url is missing",
            "set it; aie plugins show board lists the settings",
        )
    ]
    assert declared(WithSettings(), settings={"url": "http://127.0.0.1"}) == []


# --- what it says of itself ----------------------------------------------------------------------------------------


def test_an_element_that_cannot_be_used_hides_no_other():
    plugin = Plugin(handlers=(replace(HANDLER, name="Post Message"), replace(HANDLER, name="post", example=None)))
    assert declared(plugin) == [
        (
            "names",
            "action Post Message",
            "aie_action_handlers returned ActionHandler 'Post Message', which has a name that cannot be used",
            "a name is a lower-case letter, then lower-case letters, digits and underscores",
        ),
        (
            "example",
            "action post",
            "it has no example",
            "give it parameters as a workflow may have them: example={…}; people see them",
        ),
    ]


def test_parameters_without_descriptions_are_caught_also_within_one_another():
    class Place(BaseModel):
        channel: str
        thread: str = Field(default="", description="which thread")

    class Bare(Post):
        place: Place = Field(default=Place(channel="general"), description="where")
        silent: bool = False

    assert declared(action(params=Bare)) == [
        (
            "descriptions",
            "action post_message",
            "its parameters 'place.channel' and 'silent' have no description",
            'write Field(description="…") for each',
        )
    ]


def test_a_result_without_descriptions_is_caught_and_one_without_a_model_named():
    class Bare(BaseModel):
        number: int

    assert declared(action(result=Bare)) == [
        (
            "descriptions",
            "result of post_message",
            "its result field 'number' has no description",
            'write Field(description="…") for each',
        )
    ]
    report = examine({"board": action(result=None)})
    assert report.not_tried[1].message == "it has no result model, so a person cannot see what later steps may use"


def test_an_example_that_does_not_fit_is_caught():
    assert declared(action(example={"txt": "Hello"})) == [
        (
            "names",
            "action post_message",
            "aie_action_handlers returned ActionHandler 'post_message', which has an example that does not fit its "
            "model: text: Field required",
            "correct the example",
        )
    ]


def test_an_example_with_a_parameter_that_nobody_reads_is_caught():
    class Lenient(BaseModel):
        text: str = Field(description="what it says")

    assert declared(action(params=Lenient, example={"text": "Hello", "chanel": "general"})) == [
        (
            "example",
            "action post_message",
            "its example has the parameter 'chanel', which it does not take",
            "correct the example, and let the model forbid what it does not know: "
            'model_config = ConfigDict(extra="forbid")',
        )
    ]


def test_names_that_cannot_be_written_or_are_taken_are_caught():
    class Odd(BaseModel):
        text: str = Field(description="what it says", alias="the-text")

    plugin = Plugin(
        handlers=(
            replace(HANDLER, params=Odd, example={"the-text": "x"}),
            replace(HANDLER, name="post_note", note_kind="post note"),
            replace(HANDLER, name="wait"),
        )
    )
    assert declared(plugin) == [
        (
            "names",
            "parameters of post_message",
            "its parameter 'the-text' cannot be written in a template",
            "name them with lower-case letters, digits and underscores",
        ),
        (
            "names",
            "parameters of post_note",
            "its note_kind is 'post note', and notes are named after it",
            "write it in capitals, digits and underscores: EMAIL, LINKEDIN_POST",
        ),
        (
            "names",
            "parameters of wait",
            "core has an action of that name",
            "name it differently, for example after the service",
        ),
    ]


def test_events_that_nobody_describes_are_caught():
    plugin = Plugin(sources=(replace(SOURCE, event_types=("board_message", "board_gone")),))
    assert declared(plugin) == [
        (
            "events",
            "source board.messages",
            "it tells of the event type 'board_gone', which nobody describes",
            "let aie_event_types return an EventTypeSpec with a model and an example for each",
        )
    ]


# --- what it does --------------------------------------------------------------------------------------------------


def test_an_example_that_cannot_be_carried_out_is_caught():
    async def fail(params: Post, context: ActionContext) -> None:
        raise ActionError("there is no such channel", hint="make one")

    found = said(examined(action(run=fail, look_up=None), stalled=None))
    assert found == [
        ("result", "action post_message", "it fails against the stand-in: there is no such channel", "make one")
    ]


def test_a_result_that_is_not_json_is_caught():
    async def odd(params: Post, context: ActionContext) -> Any:
        return {"number": {1, 2}}

    found = said(examined(action(run=odd, look_up=None), stalled=None))
    assert found == [
        (
            "result",
            "action post_message",
            "it fails against the stand-in: board.post_message did its work, but what it returned is not data: "
            "result: number is of type set, which is not JSON data",
            "correct its example, or say with params=… what to try it with",
        ),
    ]


def test_a_result_that_does_not_fit_its_model_is_caught():
    async def odd(params: Post, context: ActionContext) -> Any:
        return {"no": 1}

    found = said(examined(action(run=odd, look_up=None), stalled=None))
    assert found == [
        (
            "result",
            "action post_message",
            "its result does not fit Posted: number Field required [type=missing, input_value={'no': 1}, "
            "input_type=dict]",
            "correct the model, or what is returned",
        )
    ]


def test_a_dry_run_that_touches_the_service_is_caught():
    def peek(params: Post, context: ActionContext) -> str:
        BOARD.posts["draft"] = params.text
        return params.text

    found = said(examined(action(preview=peek), stalled=None))
    assert found[0] == (
        "dry run",
        "action post_message",
        "a dry run changes what the service has: posts has 1 entries, and had 0",
        "let facts and preview look, and change nothing",
    )


def test_a_dry_run_that_touches_the_vault_is_caught():
    def note(params: Post, context: ActionContext) -> str:
        (context.vault / "seen.md").write_text(params.text, encoding="utf-8")
        return params.text

    found = said(examined(action(preview=note), stalled=None))
    assert found == [
        (
            "dry run",
            "action post_message",
            "a dry run changes the vault: seen.md is new",
            "let facts and preview look, and change nothing",
        )
    ]


def test_facts_that_are_no_data_are_caught():
    found = said(examined(action(facts=lambda params, context: {"words": {1, 2}}), stalled=None))
    assert found == [
        (
            "dry run",
            "action post_message",
            "its facts are not JSON data: words is of type set, which is not JSON data",
            "return plain data",
        )
    ]


def test_a_repeat_that_does_it_twice_is_caught():
    async def twice(params: Post, context: ActionContext) -> dict[str, Any]:
        return {"number": await BOARD.post(f"m{len(BOARD.posts)}", params.text, context.credentials.get("token"))}

    found = said(examined(action(run=twice, look_up=None), stalled=None))
    assert found == [
        (
            "repeat",
            "action post_message",
            "a repeat with the same idempotency key changes what the service has: posts has 2 entries, and had 1",
            "look first what is there, by the idempotency key or by what the parameters name; or say repeatable=False",
        )
    ]


def test_a_look_up_that_is_wrong_or_meddles_is_caught():
    async def always(params: Post, context: ActionContext) -> LookUp:
        return LookUp(True)

    async def never(params: Post, context: ActionContext) -> LookUp:
        return LookUp(False)

    async def meddling(params: Post, context: ActionContext) -> LookUp:
        there = context.idempotency_key in BOARD.posts
        BOARD.posts["looked"] = "looked"
        return LookUp(there)

    found = [said(examined(action(look_up=wrong), stalled=None)) for wrong in (always, never, meddling)]
    assert found == [
        [
            (
                "look-up",
                "action post_message, before it was carried out",
                "look_up says that it happened, and it did not",
                "let it look for what the attempt with this idempotency key left",
            )
        ],
        [
            (
                "look-up",
                "action post_message, after it was carried out",
                "look_up says that it did not happen, and it did",
                "let it look for what the attempt with this idempotency key left; aie would do it again",
            )
        ],
        [
            (
                "look-up",
                "action post_message, before it was carried out",
                "look_up changes something, and does not say so: posts has 1 entries, and had 0",
                "let it look only",
            )
        ],
    ]


def test_a_secret_in_a_log_line_or_an_error_is_caught():
    async def tells(params: Post, context: ActionContext) -> dict[str, Any]:
        token = context.credentials.get("token")
        context.log.debug("posting with %s", token)
        if token != SECRET:
            raise ActionError(f"the board does not know {token}")
        return await post(params, context)

    found = said(examined(action(run=tells), stalled=None))
    hint = "leave it out of every text; what a service or a library says may quote it"
    assert found == [
        ("secrets", "action post_message", "the secret 'token' stands in the log", hint),
        (
            "secrets",
            "action post_message, with wrong credentials",
            "the secret 'token' stands in the error; the secret 'token' stands in the log",
            hint,
        ),
    ]


def test_what_is_secret_within_a_token_is_looked_for_and_tried_wrong_too():
    token = {"access_token": SECRET, "refresh_token": "renew-me", "token_type": "Bearer"}
    wrong: list[dict[str, str]] = []

    async def tells(params: Post, context: ActionContext) -> dict[str, Any]:
        found = json.loads(context.credentials.require("token"))
        if found != token:
            wrong.append({name: text[:6] for name, text in found.items()})
            raise ActionError(f"the board does not know {found['access_token']}")
        context.log.debug("posting with %s", found["access_token"])
        return {"number": await BOARD.post(context.idempotency_key, params.text, found["access_token"])}

    found = said(examined(action(run=tells), credentials={"token": json.dumps(token)}, stalled=None))
    hint = "leave it out of every text; what a service or a library says may quote it"
    subject, stands = "action post_message", "the secret 'token.access_token' stands in"
    assert found == [
        ("secrets", subject, f"{stands} the log", hint),
        ("secrets", f"{subject}, with wrong credentials", f"{stands} the error", hint),
    ]
    assert wrong == [{"access_token": "wrong-", "refresh_token": "wrong-", "token_type": "Bearer"}]


def test_an_action_that_outlives_its_timeout_is_caught():
    def deaf(params: Post, context: ActionContext) -> dict[str, Any]:
        end = time.monotonic() + 4
        while BOARD.held and time.monotonic() < end:
            time.sleep(0.01)
        return {"number": asyncio.run(BOARD.post(context.idempotency_key, params.text, SECRET))}

    report = examined(action(run=deaf))
    ((name, subject, message, hint),) = said(report)
    assert (name, subject, hint) == (
        "timeout",
        "action post_message",
        "be async, and let CancelledError through; or give context.timeout_s to whatever waits for the service",
    )
    assert message.startswith("with a timeout of 0.5 s it is still at work after 1.")
    assert ("cancellation", "a plain function runs in a thread, which nobody can cancel") in [
        (check.name, check.message) for check in report.not_tried
    ]


def test_an_action_that_goes_on_when_cancelled_is_caught():
    async def stubborn(params: Post, context: ActionContext) -> dict[str, Any]:
        with contextlib.suppress(asyncio.CancelledError):
            await BOARD.post(context.idempotency_key, params.text, context.credentials.get("token"))
        return {"number": 1}

    found = said(examined(action(run=stubborn)))
    assert found == [
        (
            "cancellation",
            "action post_message",
            "it goes on when cancelled, as if nothing had happened",
            "let CancelledError through, after cleaning up",
        )
    ]


def test_what_is_done_before_the_service_is_asked_is_not_taken_for_a_timeout():
    async def local(params: Post, context: ActionContext) -> dict[str, Any]:
        return {"number": 1}

    report = examined(action(run=local, look_up=None))
    assert [(check.name, check.message) for check in report.not_tried if "action" in check.subject] == [
        ("secrets", "it does not need them"),
        ("timeout", "it does not wait for the service"),
        ("cancellation", "it does not wait for the service"),
    ]


def test_a_source_whose_events_are_not_as_it_says_is_caught():
    async def odd(context: Any) -> None:
        await context.emit([Event("board_message", "", {"txt": "Hello"}, event_id="m1")])
        await context.clock.sleep(60)

    async def undeclared(context: Any) -> None:
        await context.emit([Event("board_gone", "", {}, event_id="m1")])
        await context.clock.sleep(60)

    found = [
        said(examined(Plugin(sources=(replace(SOURCE, run=run),)), stalled=None, news={})) for run in (odd, undeclared)
    ]
    assert [found[0][0][:2], found[1][0]] == [
        ("events", "source board.messages"),
        (
            "events",
            "source board.messages",
            "it emits 'board_gone', which is not among its event_types",
            "write event_types=(…, 'board_gone')",
        ),
    ]
    assert found[0][0][2].startswith("the data of an event board_message does not fit Post: text Field required")


def test_a_source_that_does_not_end_is_caught():
    async def deaf(context: Any) -> None:
        end = asyncio.get_running_loop().time() + 3
        while asyncio.get_running_loop().time() < end:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)

    found = said(examined(Plugin(sources=(replace(SOURCE, run=deaf),)), stalled=None, news={}))
    assert found == [
        (
            "cancellation",
            "source board.messages",
            "it does not end within a second when cancelled",
            "let CancelledError through",
        )
    ]


def test_a_check_for_the_doctor_that_changes_something_is_caught():
    async def meddles(context: Any) -> list[Finding]:
        BOARD.posts["ping"] = "ping"
        return []

    found = said(examined(Plugin(connections=(replace(CONNECTION, check=meddles),)), stalled=None))
    assert found[0][:2] == ("doctor", "connection board")
    assert found[0][3] == "let it look, and change nothing"


def test_a_state_that_fails_is_the_fault_of_the_test_and_said_so():
    found = said(examined(Plugin(), state=lambda: 1 // 0, stalled=None))
    assert found[0] == (
        "look-up",
        "action post_message, before it was carried out",
        "state, which the test gives, fails: it raised ZeroDivisionError: integer division or modulo by zero",
        "correct the test",
    )


def test_a_sink_or_a_channel_that_fails_at_work_is_caught():
    class WithAudience(Plugin):
        @hookimpl
        def aie_audit_sinks(self, settings: Any) -> Any:
            def write(records: Any, context: Any) -> None:
                raise ValueError("the disk is full")

            return [AuditSink("ledger", write)]

        @hookimpl
        def aie_approval_channels(self, settings: Any) -> Any:
            async def sync(desk: Any) -> None:
                raise ValueError("nobody there")

            return [ApprovalChannel("board.wall", sync)]

    found = said(examined(WithAudience(), stalled=None))
    assert [(name, subject, message) for name, subject, message, _ in found] == [
        ("at work", "audit sink ledger", "it fails while a request is made and approved: the disk is full"),
        ("at work", "approval channel board.wall", "it fails while a request is made and approved: nobody there"),
    ]


def test_a_plugin_whose_name_cannot_be_used_is_caught():
    found = said(examine({"Notice Board": Plugin(sources=())}))
    assert found[0][:3] == ("names", "plugin Notice Board", "'Notice Board' cannot be the name of a plugin")


def test_what_an_action_is_tried_with_may_be_made_for_it():
    def params(home: Home) -> dict[str, Any]:
        return {"text": f"from {home.vault.name}"}

    report = examined(Plugin(), params={"post_message": params}, stalled=None, news={})
    assert (said(report), BOARD.state()) == ([], {"posts": ["from vault"]})


def test_an_element_that_aie_refuses_leaves_the_rest_untried_and_says_so():
    report = examined(action(example={"txt": "x"}))
    assert report.not_tried[-1].message.startswith("the plugin 'board' is broken: aie_action_handlers returned")


def test_the_log_is_as_before_afterwards():
    before = (logging.getLogger().level, logging.getLogger("aie").level, list(logging.getLogger().handlers))
    examined(Plugin(), stalled=None)
    after = (logging.getLogger().level, logging.getLogger("aie").level, list(logging.getLogger().handlers))
    assert before == after
