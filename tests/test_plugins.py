"""Plugins: found by metadata, loaded one by one; what is broken is named and harms nobody else.

The plugins here are real packages on disk, written by ``tests/plugin_dists.py``.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from aie.actions import ActionHandler
from aie.config import Config
from aie.errors import NotFoundError, PluginError
from aie.events import EventTypeSpec
from aie.hookspecs import hookimpl
from aie.plugins import Found, PluginInfo, PluginState, Registry, discover, load_engine
from tests.plugin_dists import GOOD, write_dist

Load = Callable[..., Registry]


def told(info: PluginInfo) -> tuple[str, str, str]:
    return info.state.value, info.reason, info.hint


def told_error(call: Callable[[], object]) -> tuple[str, str, str]:
    with pytest.raises(PluginError) as caught:
        call()
    return caught.value.message, caught.value.where, caught.value.hint


HEADER = textwrap.dedent("""
    from pydantic import BaseModel, Field, SecretStr
    from aie.actions import ActionHandler
    from aie.approvals import ApprovalChannel
    from aie.events import EventTypeSpec
    from aie.hookspecs import hookimpl
    from aie.records import AuditSink
    from aie.sources import EventSource

    class Params(BaseModel):
        text: str = ""

    async def run(*args):
        return None

""")

# --- a good plugin ------------------------------------------------------------------------------------------------

FULL = HEADER + textwrap.dedent("""
    class Settings(BaseModel):
        folders: list[str] = ["Inbox"]

    @hookimpl
    def aie_settings():
        return Settings

    @hookimpl
    def aie_event_types():
        return [EventTypeSpec("thing_seen", Params, {"text": "a"})]

    @hookimpl
    def aie_event_sources(settings):
        return [EventSource("full.things", ("thing_seen",), run, watching=", ".join(settings.folders))]

    @hookimpl
    def aie_action_handlers(settings):
        return [ActionHandler("do_thing", Params, run), ActionHandler("undo_thing", Params, run)]

    @hookimpl
    def aie_audit_sinks(settings):
        return [AuditSink("paper", run)]

    @hookimpl
    def aie_approval_channels(settings):
        return [ApprovalChannel("full.letter", run)]
""")


def test_a_good_plugin_is_listed_with_its_package_and_everything_it_adds(site: Path, config: Config) -> None:
    write_dist(site, "aie-full", FULL, version="2.1")
    config = dataclasses.replace(config, tables={"full": {"folders": ["In", "Out"]}})
    registry = Registry.load(config, only={"full"})
    assert registry.info("full") == PluginInfo(
        name="full",
        package="aie-full",
        version="2.1",
        origin=str(site),
        state=PluginState.OK,
        adds={
            "actions": ("do_thing", "undo_thing"),
            "event_types": ("thing_seen",),
            "sources": ("full.things",),
            "sinks": ("paper",),
            "channels": ("full.letter",),
        },
    )
    plugin = registry.plugin("full")
    assert plugin.settings_model is not None
    assert plugin.settings == plugin.settings_model(folders=["In", "Out"])
    assert [(offer.plugin, offer.item.name, offer.settings) for offer in registry.sources()] == [
        ("full", "full.things", plugin.settings)
    ]
    assert registry.sources()[0].item.watching == "In, Out"
    assert [(offer.plugin, offer.item.name) for offer in registry.sinks()] == [("full", "paper")]
    assert [(offer.plugin, offer.item.name) for offer in registry.channels()] == [("full", "full.letter")]
    assert [offer.item.name for offer in registry.event_types()] == ["thing_seen"]
    assert registry.event_type("thing_seen") is registry.event_types()[0].item
    assert registry.event_type("thing_heard") is None
    assert list(registry.actions()) == ["do_thing", "full.do_thing", "full.undo_thing", "undo_thing"]
    bound = registry.handler("do_thing")
    assert (bound.name, bound.plugin, bound.handler, bound.settings) == (
        "full.do_thing",
        "full",
        plugin.handlers[0],
        plugin.settings,
    )
    assert registry.handler("full.do_thing") == bound


def test_discovery_imports_nothing(site: Path, config: Config) -> None:
    write_dist(site, "aie-bomb", "raise SystemExit('imported')")
    registry = Registry.discover(config)
    assert registry.info("bomb") == PluginInfo("bomb", "aie-bomb", "1.0", str(site), PluginState.FOUND)
    assert "aie_bomb" not in sys.modules


def test_only_the_named_plugins_are_imported(site: Path, config: Config) -> None:
    write_dist(site, "aie-good", GOOD)
    write_dist(site, "aie-bomb", "raise SystemExit('imported')")
    registry = Registry.load(config, only={"good"})
    assert (registry.info("good").state, registry.info("bomb").state) == (PluginState.OK, PluginState.FOUND)
    assert "aie_bomb" not in sys.modules
    assert told_error(lambda: registry.handler("bomb.x")) == (
        "bomb.x comes from the plugin 'bomb', which was not loaded",
        "bomb",
        "",
    )


def test_a_plugin_that_is_turned_off_is_not_imported(site: Path, config: Config) -> None:
    write_dist(site, "aie-bomb", "raise SystemExit('imported')")
    registry = Registry.load(dataclasses.replace(config, disabled=frozenset({"bomb"})), only={"bomb"})
    assert told(registry.info("bomb")) == (
        "off",
        "aie.toml has it in [plugins] disabled",
        "take it out of that list to use it",
    )
    assert "aie_bomb" not in sys.modules
    assert told_error(lambda: registry.plugin("bomb")) == (
        "the plugin 'bomb' is turned off: aie.toml has it in [plugins] disabled",
        "bomb",
        "take it out of that list to use it",
    )


def test_the_program_can_hand_over_plugins_of_its_own(site: Path, config: Config) -> None:
    write_dist(site, "aie-good", "raise SystemExit('imported')")

    class Mine:
        @hookimpl
        def aie_action_handlers(self, settings: None) -> list[ActionHandler]:
            return [ActionHandler("greet", BaseModel, print)]

    registry = Registry.load(config, only={"good"}, extra={"good": Mine()})
    assert registry.info("good") == PluginInfo(
        "good", "", "", "the program itself", PluginState.OK, adds={"actions": ("greet",)}
    )


def test_a_plugin_that_is_not_installed_is_told_from_those_that_are(site: Path, config: Config) -> None:
    write_dist(site, "aie-good", GOOD)
    registry = Registry.discover(config)
    with pytest.raises(NotFoundError) as caught:
        registry.info("goood")
    assert caught.value.as_dict() == {
        "error": "no plugin named 'goood' is installed",
        "where": "aie.plugins",
        "hint": "did you mean 'good'?",
    }


# --- broken plugins -----------------------------------------------------------------------------------------------

AGAIN = "look for a newer one: aie plugins install --upgrade aie-bad; aie plugins show bad --verbose shows the details"


def hook(signature: str, body: str, marker: str = "@hookimpl\ndef") -> str:
    return f"{HEADER}\n{marker} {signature}:\n    {body}\n"


BROKEN = {
    "a missing dependency": (
        "import surely_not_installed",
        "importing it needs the module 'surely_not_installed', which is not installed",
        AGAIN,
    ),
    "a module its own package lacks": (
        "import json.surely_not_there",
        "importing it needs the module 'json.surely_not_there', which its package does not have",
        AGAIN,
    ),
    "a syntax error": (
        "def hook(:\n    pass",
        "importing it found a syntax error in aie_bad.py, line 1: invalid syntax",
        AGAIN,
    ),
    "an AssertionError at import": ("assert 1 == 2, 'odd'", "importing it raised AssertionError: odd", AGAIN),
    "a SystemExit at import": ("raise SystemExit(3)", "importing it tried to end the program with 3", AGAIN),
    "a KeyboardInterrupt it raises itself": (
        "raise KeyboardInterrupt",
        "importing it raised KeyboardInterrupt",
        AGAIN,
    ),
    "a GeneratorExit at import": ("raise GeneratorExit", "importing it raised GeneratorExit", AGAIN),
    "an error that cannot be printed": (
        "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\nraise Odd",
        "importing it raised Odd",
        AGAIN,
    ),
    "no hooks": (
        "x = 1",
        "it implements no hook",
        "mark its functions with @hookimpl, from aie, and name them after the hooks: aie_settings, aie_event_types, "
        "aie_event_sources, aie_action_handlers, aie_audit_sinks, aie_approval_channels, aie_connections, "
        "aie_inspections, aie_cli",
    ),
    "a misspelt hook": (
        hook("aie_action_handler(settings)", "return []"),
        "aie_action_handler is not a hook of aie",
        "did you mean aie_action_handlers?",
    ),
    "a hook that is not marked": (
        hook("aie_action_handlers(settings)", "return []", "def"),
        "aie_action_handlers is not marked as a hook",
        "put @hookimpl, from aie, above it",
    ),
    "a wrong argument": (
        hook("aie_action_handlers(setings)", "return []"),
        "aie_action_handlers takes the argument 'setings', and is given 'settings'",
        "write it as def aie_action_handlers(settings)",
    ),
    "an argument too many": (
        hook("aie_event_types(settings)", "return []"),
        "aie_event_types takes the argument 'settings', and is given no arguments",
        "write it as def aie_event_types()",
    ),
    "an argument with a default": (
        hook("aie_action_handlers(settings=None)", "return []"),
        "aie_action_handlers has a default for 'settings', and would only get that",
        "write it as def aie_action_handlers(settings)",
    ),
    "a hook that raises": (
        hook("aie_action_handlers(settings)", "return [1 / 0]"),
        "aie_action_handlers raised ZeroDivisionError: division by zero",
        AGAIN,
    ),
    "a hook that ends the program": (
        hook("aie_audit_sinks(settings)", "exit('bye')"),
        "aie_audit_sinks tried to end the program with bye",
        AGAIN,
    ),
    "a hook that returns nothing": (
        hook("aie_action_handlers(settings)", "[ActionHandler('a', Params, run)]"),
        "aie_action_handlers returned None",
        "it returns a list of ActionHandler, an empty one for none",
    ),
    "a hook that is async": (
        hook("aie_action_handlers(settings)", "return []", "@hookimpl\nasync def"),
        "aie_action_handlers returned a coroutine",
        "it returns a list of ActionHandler, an empty one for none",
    ),
    "a wrong element": (
        hook("aie_action_handlers(settings)", "return [run]"),
        "aie_action_handlers returned a function as element 0",
        "it returns a list of ActionHandler, an empty one for none",
    ),
    "a name that no workflow can write": (
        hook("aie_action_handlers(settings)", "return [ActionHandler('Do It', Params, run)]"),
        "aie_action_handlers returned ActionHandler 'Do It', which has a name that cannot be used",
        "a name is a lower-case letter, then lower-case letters, digits and underscores",
    ),
    "one action twice": (
        hook("aie_action_handlers(settings)", "return [ActionHandler('a', Params, run)] * 2"),
        "aie_action_handlers returned ActionHandler 'a', which is there twice",
        "give each a name of its own",
    ),
    "an action without a model": (
        hook("aie_action_handlers(settings)", "return [ActionHandler('a', dict, run)]"),
        "aie_action_handlers returned ActionHandler 'a', which has no pydantic model as params",
        "set params to a class derived from pydantic.BaseModel",
    ),
    "a body field that is no parameter": (
        hook("aie_action_handlers(settings)", "return [ActionHandler('a', Params, run, body_field='body')]"),
        "aie_action_handlers returned ActionHandler 'a', "
        "which names the parameter 'body', which its params do not have",
        "the parameters are text",
    ),
    "what it touches as bare texts": (
        hook("aie_action_handlers(settings)", "return [ActionHandler('a', Params, run, touches=('shop.example',))]"),
        "aie_action_handlers returned ActionHandler 'a', which has a tuple as what it touches",
        'write touches=Touches(hosts=("shop.example",)), with Touches from aie.touches',
    ),
    "a host it touches as one text": (
        hook(
            "aie_audit_sinks(settings)",
            "from aie.touches import Touches\n    return [AuditSink('a', run, touches=Touches('shop.example'))]",
        ),
        "aie_audit_sinks returned AuditSink 'a', which has hosts it touches that are no tuple of texts",
        'write touches=Touches(hosts=("shop.example",)), with Touches from aie.touches',
    ),
    "a source that is not named after it": (
        hook("aie_event_sources(settings)", "return [EventSource('files', ('file_added',), run)]"),
        "aie_event_sources returned EventSource 'files', which is not named after the plugin",
        "name it bad.NAME; NAME is a lower-case letter, then lower-case letters, digits and underscores",
    ),
    "a channel named after another plugin": (
        hook("aie_approval_channels(settings)", "return [ApprovalChannel('vault.notes', run)]"),
        "aie_approval_channels returned ApprovalChannel 'vault.notes', which is not named after the plugin",
        "name it bad.NAME; NAME is a lower-case letter, then lower-case letters, digits and underscores",
    ),
    "a source with one text as its event types": (
        hook("aie_event_sources(settings)", "return [EventSource('bad.files', 'file_added', run)]"),
        "aie_event_sources returned EventSource 'bad.files', which has event_types that are no tuple of names",
        'write event_types=("file_added",)',
    ),
    "an example that does not fit": (
        hook("aie_event_types()", "return [EventTypeSpec('seen', Params, {'text': 1})]"),
        "aie_event_types returned EventTypeSpec 'seen', which has an example that does not fit its model: "
        "text: Input should be a valid string",
        "correct the example",
    ),
    "a sink that cannot be called": (
        hook("aie_audit_sinks(settings)", "return [AuditSink('paper', None)]"),
        "aie_audit_sinks returned AuditSink 'paper', which has a write that cannot be called",
        "set write to a function",
    ),
    "settings that are no class": (
        hook("aie_settings()", "return Params()"),
        "aie_settings returned a Params",
        "it returns the class of the settings, derived from pydantic.BaseModel",
    ),
}


@pytest.mark.parametrize(("source", "reason", "hint"), list(BROKEN.values()), ids=list(BROKEN))
def test_a_broken_plugin_is_named_with_its_reason_and_the_others_work(
    site: Path, config: Config, source: str, reason: str, hint: str
) -> None:
    write_dist(site, "aie-bad", source)
    write_dist(site, "aie-another", GOOD)
    write_dist(site, "aie-good", GOOD)
    registry = Registry.load(config, only={"another", "bad", "good"})
    assert told(registry.info("bad")) == ("broken", reason, hint)
    assert [registry.handler(f"{name}.greet").plugin for name in ("another", "good")] == ["another", "good"]


def test_the_traceback_of_what_it_raised_is_kept_for_its_author(site: Path, config: Config) -> None:
    write_dist(site, "aie-bad", "def inner():\n    raise ValueError('deep')\ninner()")
    info = Registry.load(config, only={"bad"}).info("bad")
    assert info.traceback_text.splitlines()[-3:] == [
        '  File "{}", line 2, in inner'.format(site / "aie_bad.py"),
        "    raise ValueError('deep')",
        "ValueError: deep",
    ]
    assert "deep" not in repr(dataclasses.replace(info, reason=""))


def test_an_entry_point_that_names_nothing_is_told(site: Path, config: Config) -> None:
    write_dist(site, "aie-bad", "x = 1", entry_point="aie_bad:plugin")
    write_dist(site, "aie-worse", "class Plugin: ...", entry_point="aie_worse:Plugin")
    registry = Registry.load(config, only={"bad", "worse"})
    assert told(registry.info("bad")) == (
        "broken",
        "importing it raised AttributeError: module 'aie_bad' has no attribute 'plugin'",
        AGAIN,
    )
    assert told(registry.info("worse")) == (
        "broken",
        "its entry point names the class Plugin",
        "let the entry point name a module, or an instance",
    )


def test_two_packages_with_one_plugin_name_are_both_listed_as_broken(site: Path, config: Config) -> None:
    write_dist(site, "aie-mail", GOOD)
    write_dist(site, "other-mail", GOOD, plugin="mail", version="3.0")
    write_dist(site, "aie-good", GOOD)
    registry = Registry.load(config, only={"mail", "good"})
    reason = "2 packages offer a plugin named 'mail': aie-mail 1.0 and other-mail 3.0"
    hint = "take one of them away: aie plugins remove other-mail"
    assert [info for info in registry.plugins if info.name == "mail"] == [
        PluginInfo("mail", "aie-mail", "1.0", str(site), PluginState.BROKEN, reason, hint),
        PluginInfo("mail", "other-mail", "3.0", str(site), PluginState.BROKEN, reason, hint),
    ]
    assert registry.handler("greet").name == "good.greet"


def test_a_name_that_cannot_be_a_plugin_s_is_told(site: Path, config: Config) -> None:
    write_dist(site, "aie-bad", GOOD, plugin="Bad-Name")
    assert told(Registry.load(config, only={"Bad-Name"}).info("Bad-Name")) == (
        "broken",
        "'Bad-Name' cannot be the name of a plugin",
        "its author names the entry point with lower-case letters, digits and underscores",
    )


def test_a_package_with_unreadable_metadata_is_passed_over(site: Path, config: Config) -> None:
    (write_dist(site, "aie-bad", GOOD) / "entry_points.txt").write_bytes(b"[aie.plugins]\n\xff\xfe no equals sign\n")
    (write_dist(site, "aie-odd", GOOD) / "entry_points.txt").write_text("[aie.plugins]\nno equals sign\n")
    (write_dist(site, "aie-null", GOOD) / "direct_url.json").write_text("{")
    write_dist(site, "aie-good", GOOD)
    names = {found.name for found in discover()}
    assert names & {"bad", "odd", "null", "good"} == {"good"}


def test_a_second_copy_of_a_package_further_down_the_path_does_not_count(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dist(site, "aie-good", GOOD, version="2.0")
    write_dist(tmp_path / "older", "aie-good", GOOD, version="1.0")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "older")])
    assert [(found.name, found.version) for found in discover() if found.package == "aie-good"] == [("good", "2.0")]


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        ({"url": "file:///home/me/aie-good", "dir_info": {"editable": True}}, "/home/me/aie-good (editable)"),
        ({"url": "file:///home/me/my%20plugin", "dir_info": {}}, "/home/me/my plugin"),
        ({"url": "https://me:pass@code.example/aie.git", "vcs_info": {}}, "https://code.example/aie.git"),
    ],
)
def test_where_a_package_came_from_is_told_without_passwords(site: Path, said: dict[str, object], origin: str) -> None:
    (write_dist(site, "aie-good", GOOD) / "direct_url.json").write_text(json.dumps(said))
    assert [found.origin for found in discover() if found.package == "aie-good"] == [origin]


# --- nothing it does at import gets out ---------------------------------------------------------------------------


def test_a_ctrl_c_during_an_import_is_the_person_s_and_goes_through(site: Path, config: Config) -> None:
    write_dist(site, "aie-slow", "import signal\nsignal.raise_signal(signal.SIGINT)")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        Registry.load(config, only={"slow"})
    assert signal.getsignal(signal.SIGINT) is before


def test_a_ctrl_c_the_plugin_turns_into_an_error_goes_through_all_the_same(site: Path, config: Config) -> None:
    write_dist(
        site,
        "aie-slow",
        "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    raise ValueError",
    )
    with pytest.raises(KeyboardInterrupt):
        Registry.load(config, only={"slow"})


def test_a_plugin_cannot_keep_the_signal_handler_it_installs(site: Path, config: Config) -> None:
    write_dist(site, "aie-rude", "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + GOOD)
    before = signal.getsignal(signal.SIGINT)
    assert Registry.load(config, only={"rude"}).info("rude").state is PluginState.OK
    assert signal.getsignal(signal.SIGINT) is before


def test_what_plugins_print_does_not_reach_stdout(site: Path, config: Config, tmp_path: Path) -> None:
    loud = "print('at import')\n" + hook("aie_event_types()", "print('in a hook')\n    return []")
    write_dist(site, "aie-loud", loud)
    write_dist(site, "aie-exit", "import sys\nprint('bye')\nsys.exit(0)")
    write_dist(site, "aie-stop", "raise KeyboardInterrupt")
    program = f"""
        import json
        from pathlib import Path
        from aie.config import Config
        from aie.plugins import Registry
        registry = Registry.load(Config.load(Path({str(tmp_path)!r}), {{}}), only=["loud", "exit", "stop"])
        print(json.dumps({{name: registry.info(name).state for name in ("loud", "exit", "stop")}}))
    """
    cache = tmp_path / "cache"
    path = os.pathsep.join([str(site), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(line[8:] for line in program.splitlines())],
        env={**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"loud": "ok", "exit": "broken", "stop": "broken"}
    assert done.stderr.split("\n") == ["bye", "at import", "in a hook", ""]
    assert not cache.exists()  # stevedore's cache was neither read nor written


# --- choosing between plugins -------------------------------------------------------------------------------------


def test_an_action_of_two_plugins_is_ambiguous_until_one_is_named(site: Path, config: Config) -> None:
    write_dist(site, "aie-first", GOOD)
    write_dist(site, "aie-second", GOOD)
    both = {"first", "second"}
    registry = Registry.load(config, only=both)
    assert told_error(lambda: registry.handler("greet")) == (
        "greet is ambiguous: first.greet and second.greet",
        "greet",
        'write one of these names in the workflow, or choose in aie.toml: [actions] greet = "first"',
    )
    assert list(registry.actions()) == ["first.greet", "second.greet"]
    assert registry.handler("second.greet").plugin == "second"

    chosen = Registry.load(dataclasses.replace(config, actions={"greet": "second"}), only=both)
    assert chosen.handler("greet").name == "second.greet"
    assert list(chosen.actions()) == ["first.greet", "greet", "second.greet"]


def test_a_choice_that_cannot_be_kept_is_an_error_and_never_falls_to_another_plugin(site: Path, config: Config) -> None:
    write_dist(site, "aie-first", GOOD)
    write_dist(site, "aie-second", "import surely_not_installed")
    both = {"first", "second"}
    toml = str(config.vault / "aie.toml")
    broken = Registry.load(dataclasses.replace(config, actions={"greet": "second"}), only=both)
    assert told_error(lambda: broken.handler("greet")) == (
        "[actions] says greet = 'second': second.greet comes from the plugin 'second', which is broken: "
        "importing it needs the module 'surely_not_installed', which is not installed",
        toml,
        AGAIN.replace("bad", "second"),
    )
    absent = Registry.load(dataclasses.replace(config, actions={"greet": "frist"}), only=both)
    assert told_error(lambda: absent.handler("greet")) == (
        "[actions] says greet = 'frist': no plugin named 'frist' is installed",
        toml,
        "did you mean 'first.greet'?",
    )
    assert absent.warnings == ("[actions] greet = 'frist' names a plugin that is not installed: did you mean 'first'?",)


def test_an_action_nobody_offers_is_told_with_the_nearest_or_the_package_to_install(site: Path, config: Config) -> None:
    write_dist(site, "aie-good", GOOD)
    registry = Registry.load(config, only={"good"})
    assert told_error(lambda: registry.handler("greeet")) == (
        "no plugin offers the action 'greeet'",
        "greeet",
        "did you mean 'greet'?",
    )
    assert told_error(lambda: registry.handler("good.greeet")) == (
        "the plugin 'good' has no action 'greeet'",
        "good.greeet",
        "did you mean 'good.greet'?",
    )
    assert told_error(lambda: registry.handler("send_email")) == (
        "send_email needs the package aie-gmail",
        "send_email",
        "aie plugins install aie-gmail",
    )
    assert told_error(lambda: registry.handler("gmail.send_email")) == (
        "gmail.send_email needs the package aie-gmail",
        "gmail.send_email",
        "aie plugins install aie-gmail",
    )


def test_an_action_of_an_installed_plugin_that_does_not_work_says_so(site: Path, config: Config) -> None:
    write_dist(site, "aie-gmail", "assert False, 'no'")
    broken = Registry.load(config, only={"gmail"})
    assert told_error(lambda: broken.handler("send_email")) == (
        "send_email comes from the plugin 'gmail', which is broken: importing it raised AssertionError: no",
        "gmail",
        AGAIN.replace("bad", "gmail"),
    )
    off = Registry.load(dataclasses.replace(config, disabled=frozenset({"gmail"})), only={"gmail"})
    assert told_error(lambda: off.handler("gmail.send_email")) == (
        "gmail.send_email comes from the plugin 'gmail', which is turned off: aie.toml has it in [plugins] disabled",
        "gmail",
        "take it out of that list to use it",
    )


def test_an_action_that_may_come_from_a_broken_plugin_says_that(site: Path, config: Config) -> None:
    write_dist(site, "aie-bad", "assert False")
    registry = Registry.load(config, only={"bad"})
    assert told_error(lambda: registry.handler("paint")) == (
        "no plugin offers the action 'paint'",
        "paint",
        "aie plugins list shows the actions there are; it may also come from a plugin that is broken: bad",
    )


def test_an_older_package_without_the_action_is_to_be_upgraded(site: Path, config: Config) -> None:
    write_dist(site, "aie-gmail", GOOD)
    registry = Registry.load(config, only={"gmail"})
    assert told_error(lambda: registry.handler("send_email")) == (
        "send_email is not in aie-gmail 1.0",
        "send_email",
        "install a version that has it: aie plugins install --upgrade aie-gmail",
    )


class Seen(BaseModel):
    text: str = ""


class CoreLike:
    @hookimpl
    def aie_event_types(self) -> list[EventTypeSpec]:
        return [EventTypeSpec("thing_seen", Seen, {})]


def test_an_event_type_belongs_to_core_or_else_to_the_first_and_the_rest_of_a_plugin_still_works(
    site: Path, config: Config
) -> None:
    write_dist(site, "aie-full", FULL)
    registry = Registry.load(config, only={"core", "full"}, extra={"core": CoreLike()})
    assert registry.plugins[0].name == "core"
    assert told(registry.info("full")) == (
        "ok",
        "its event types are not used where another plugin has them: thing_seen (defined by core)",
        "its author can name them differently",
    )
    spec = registry.event_type("thing_seen")
    assert spec is not None
    assert spec.model is Seen
    assert registry.handler("do_thing").name == "full.do_thing"


def test_two_plugins_may_declare_the_very_same_event_type(config: Config) -> None:
    registry = Registry.load(config, only={"core", "a"}, extra={"core": CoreLike(), "a": CoreLike()})
    assert [told(registry.info(name)) for name in ("core", "a")] == [("ok", "", ""), ("ok", "", "")]
    assert [(offer.plugin, offer.item.name) for offer in registry.event_types()] == [("core", "thing_seen")]


# --- settings -----------------------------------------------------------------------------------------------------


class Server(BaseModel):
    url: str = ""
    token: SecretStr | None = None


class Settings(BaseModel):
    watch: list[str] = []
    limit: int = 5
    password: SecretStr | None = None
    server: Server = Server()
    shops: dict[str, Server] = {}


class WithSettings:
    @hookimpl
    def aie_settings(self) -> type[BaseModel]:
        return Settings


def settings_told(config: Config, table: dict[str, object], env: dict[str, object]) -> tuple[str, str, str]:
    config = dataclasses.replace(config, tables={"mine": table}, overrides={"mine": env})
    return told(Registry.load(config, only={"mine"}, extra={"mine": WithSettings()}).info("mine"))


def test_settings_come_from_file_and_environment(config: Config) -> None:
    config = dataclasses.replace(
        config,
        tables={"mine": {"watch": ["a"], "limit": 1, "server": {"url": "https://odoo.example"}}},
        overrides={"mine": {"limit": "7", "password": "hunter2!", "server": {"token": "abc"}}},
    )
    registry = Registry.load(config, only={"mine"}, extra={"mine": WithSettings()})
    assert registry.plugin("mine").settings == Settings(
        watch=["a"],
        limit=7,
        password=SecretStr("hunter2!"),
        server=Server(url="https://odoo.example", token=SecretStr("abc")),
    )


LISTS = "aie plugins show mine lists the settings"


@pytest.mark.parametrize(
    ("table", "env", "reason", "hint"),
    [
        (
            {"wach": ["a"]},
            {},
            "[plugins.mine] wach is not a setting of the plugin",
            "did you mean 'watch'?",
        ),
        (
            {"limit": "many"},
            {},
            "[plugins.mine] limit is not right: input should be a valid integer, unable to parse string as an integer, "
            "found 'many'",
            f"correct it; {LISTS}",
        ),
        (
            {"watch": ["a", 5], "limit": "many"},
            {},
            "[plugins.mine] watch[1] is not right: input should be a valid string, found 5, and 1 more",
            f"correct it; {LISTS}",
        ),
        (
            {},
            {"limit": "many"},
            "AIE_MINE__LIMIT is not right: input should be a valid integer, unable to parse string as an integer, "
            "found 'many'",
            f"correct it; {LISTS}",
        ),
        (
            {},
            {"password": ["hunter2!"]},
            "AIE_MINE__PASSWORD is not right: input should be a valid string, found a list",
            f"correct it; {LISTS}",
        ),
        (
            {"password": "hunter2!"},
            {},
            "[plugins.mine] password is a secret, and the vault is no place for secrets",
            "take it out of aie.toml and set the environment variable AIE_MINE__PASSWORD",
        ),
        (
            {"server": {"token": "hunter2!"}},
            {},
            "[plugins.mine] server.token is a secret, and the vault is no place for secrets",
            "take it out of aie.toml and set the environment variable AIE_MINE__SERVER__TOKEN",
        ),
        (
            {"shops": {"one": {"token": "hunter2!"}}},
            {},
            "[plugins.mine] shops.one.token is a secret, and the vault is no place for secrets",
            "take it out of aie.toml and set the environment variable AIE_MINE__SHOPS__ONE__TOKEN",
        ),
    ],
)
def test_wrong_settings_break_the_plugin_and_name_the_key(
    config: Config, table: dict[str, object], env: dict[str, object], reason: str, hint: str
) -> None:
    assert settings_told(config, table, env) == ("broken", reason, hint)


def test_settings_for_a_plugin_without_any_are_refused(site: Path, config: Config) -> None:
    write_dist(site, "aie-good", GOOD)
    registry = Registry.load(dataclasses.replace(config, tables={"good": {"loud": True}}), only={"good"})
    assert told(registry.info("good")) == (
        "broken",
        "[plugins.good] loud is set, and the plugin has no settings",
        "take it out",
    )


def test_settings_for_a_plugin_that_is_not_installed_are_warned_about(site: Path, config: Config) -> None:
    write_dist(site, "aie-good", GOOD)
    tables: dict[str, dict[str, object]] = {"goood": {}, "core": {}, "odoo": {}}
    config = dataclasses.replace(config, tables=tables, disabled=frozenset({"zzz"}))
    assert Registry.discover(config).warnings == (
        "[plugins.goood] names a plugin that is not installed: did you mean 'good'?",
        "[plugins.odoo] names a plugin that is not installed: aie plugins install aie-odoo",
        "[plugins] disabled = ['zzz'] names a plugin that is not installed: aie plugins list shows what is installed",
    )


# --- commands and engines -----------------------------------------------------------------------------------------


def test_a_plugin_s_command_is_asked_for_only_when_somebody_wants_it(site: Path, config: Config) -> None:
    write_dist(site, "aie-good", hook("aie_cli()", "import click\n    return click.Command('good')"))
    write_dist(site, "aie-bad", hook("aie_cli()", "return 1 / 0"))
    write_dist(site, "aie-odd", hook("aie_cli()", "return 'good'"))
    write_dist(site, "aie-none", GOOD)
    registry = Registry.load(config, only={"good", "bad", "odd", "none"})
    good = registry.plugin("good").command()
    assert good is not None
    assert good.name == "good"
    assert registry.plugin("none").command() is None
    assert told_error(registry.plugin("bad").command)[0] == "aie_cli raised ZeroDivisionError: division by zero"
    assert told_error(registry.plugin("odd").command) == (
        "aie_cli returned str",
        "",
        "it returns one click.Command or click.Group",
    )


def test_an_engine_is_loaded_by_name(site: Path) -> None:
    write_dist(site, "aie-turbo", "class Engine: ...", group="aie.engines", entry_point="aie_turbo:Engine")
    assert load_engine("turbo").__name__ == "Engine"
    message, where, hint = told_error(lambda: load_engine("turbot"))
    assert (message, where, hint) == ("no engine is named 'turbot'", "aie.engines", "did you mean 'turbo'?")


def test_an_engine_that_is_broken_or_claimed_twice_is_told(site: Path) -> None:
    write_dist(site, "aie-turbo", "raise SystemExit", group="aie.engines")
    assert told_error(lambda: load_engine("turbo")) == (
        "the engine 'turbo' of aie-turbo is broken: importing it tried to end the program with SystemExit",
        "aie-turbo",
        "look for a newer one: aie plugins install --upgrade aie-turbo",
    )
    write_dist(site, "other-turbo", "", group="aie.engines", plugin="turbo")
    assert told_error(lambda: load_engine("turbo")) == (
        "two packages offer an engine named 'turbo': aie-turbo and other-turbo",
        "aie.engines",
        "uninstall one of them",
    )


def test_an_engine_for_another_aie_is_told_and_not_imported(site: Path) -> None:
    write_dist(site, "aie-turbo", "raise SystemExit", group="aie.engines", metadata="Requires-Dist: aie-core >=9\n")
    assert told_error(lambda: load_engine("turbo")) == (
        f"the engine 'turbo' cannot be used: aie-turbo 1.0 needs aie-core >=9, and {version('aie-core')} is installed",
        "aie-turbo",
        "let the installer find versions that fit: aie plugins install --upgrade aie-turbo",
    )


def test_what_is_found_is_told_by_name_package_version_and_origin(site: Path) -> None:
    write_dist(site, "aie-turbo", "", group="aie.engines")
    found = [item for item in discover("aie.engines") if item.package == "aie-turbo"]
    assert found == [Found("turbo", "aie-turbo", "1.0", str(site), found[0].entry_point)]
