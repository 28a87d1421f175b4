"""Which plugins may be used: the allow-list, plugins that are one file, and those built for another aie."""

from __future__ import annotations

import dataclasses
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from aie.config import Config
from aie.errors import ParameterError
from aie.paths import inside
from aie.plugins import PluginInfo, PluginState, Registry
from tests.plugin_dists import GOOD, write_dist

BOMB = "raise SystemExit('imported')"
INSTALLED = version("aie-core")


def told(info: PluginInfo) -> tuple[str, str, str]:
    return info.state.value, info.reason, info.hint


# --- the allow-list -----------------------------------------------------------------------------------------------


def test_without_a_list_every_plugin_may_be_used(site: Path, config: Config) -> None:
    write_dist(site, "aie-good", GOOD)
    assert Registry.load(config).info("good").state is PluginState.OK


def test_what_is_not_on_the_list_is_off_with_the_reason_and_never_imported(site: Path, config: Config) -> None:
    write_dist(site, "aie-bomb", BOMB, metadata="Author: Mallory\n")
    write_dist(site, "aie-silent", BOMB)
    registry = Registry.load(dataclasses.replace(config, allow=frozenset({"vault"})))
    assert told(registry.info("bomb")) == (
        "off",
        "aie.toml does not allow it: neither 'bomb' nor 'aie-bomb', by Mallory, is on its list",
        "to use it, add 'aie-bomb' to [plugins] allow in aie.toml",
    )
    assert told(registry.info("silent")) == (
        "off",
        "aie.toml does not allow it: neither 'silent' nor 'aie-silent', which names no publisher, is on its list",
        "to use it, add 'aie-silent' to [plugins] allow in aie.toml",
    )
    assert [name for name in ("aie_bomb", "aie_silent") if name in sys.modules] == []
    assert [info.name for info in registry.plugins if info.state is PluginState.OK] == ["core", "vault"]


@pytest.mark.parametrize("name", ["good", "aie-good", "AIE_Good"])
def test_a_plugin_is_allowed_by_its_name_or_that_of_its_package(site: Path, config: Config, name: str) -> None:
    write_dist(site, "aie-good", GOOD)
    assert Registry.load(dataclasses.replace(config, allow=frozenset({name}))).info("good").state is PluginState.OK


@pytest.mark.parametrize(
    "metadata",
    [
        "Author: Example Ltd\n",
        "Maintainer: Example Ltd\n",
        "Author-email: Example Ltd <plugins@example.com>\n",
        "Author: Ada, example  ltd\n",
        "Author: Ada\nMaintainer-email: Bob <b@example.com>, Example Ltd <plugins@example.com>\n",
    ],
)
def test_a_plugin_is_allowed_by_the_publisher_its_package_names(site: Path, config: Config, metadata: str) -> None:
    write_dist(site, "aie-good", GOOD, metadata=metadata)
    write_dist(site, "aie-bomb", BOMB, metadata="Author: Example Ltd and sons\n")
    registry = Registry.load(dataclasses.replace(config, allow_publishers=frozenset({"Example Ltd"})))
    assert (registry.info("good").state, registry.info("bomb").state) == (PluginState.OK, PluginState.OFF)


def test_an_empty_list_leaves_core_alone(site: Path, config: Config) -> None:
    registry = Registry.load(dataclasses.replace(config, allow=frozenset()))
    assert [info.name for info in registry.plugins if info.state is PluginState.OK] == ["core"]


def test_of_two_packages_with_one_plugin_name_the_one_that_is_allowed_is_used(site: Path, config: Config) -> None:
    write_dist(site, "aie-shop", BOMB, plugin="shop")
    write_dist(site, "better-shop", GOOD, plugin="shop")
    registry = Registry.load(dataclasses.replace(config, allow=frozenset({"better-shop"})))
    assert [(info.package, info.state.value) for info in registry.plugins if info.name == "shop"] == [
        ("better-shop", "ok"),
        ("aie-shop", "off"),
    ]
    assert registry.info("shop").package == "better-shop"


# --- one file -----------------------------------------------------------------------------------------------------


def named(config: Config, name: str, source: str | None) -> Config:
    path = config.vault / "plugins" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    if source is not None:
        path.write_text(source, encoding="utf-8")
    return dataclasses.replace(config, plugin_files={name: path})


@pytest.mark.usefixtures("site")
def test_a_file_that_aie_toml_names_is_a_plugin_and_leaves_nothing_beside_it(config: Config) -> None:
    config = named(config, "hello", GOOD)
    registry = Registry.load(config)
    assert registry.info("hello") == PluginInfo(
        "hello", "", "", f"file {config.vault / 'plugins' / 'hello.py'}", PluginState.OK, adds={"actions": ("greet",)}
    )
    assert registry.handler("greet").name == "hello.greet"
    assert [path.name for path in (config.vault / "plugins").iterdir()] == ["hello.py"]


@pytest.mark.usefixtures("site")
def test_a_file_that_nobody_named_is_no_plugin(config: Config) -> None:
    named(config, "hello", BOMB)
    assert "hello" not in [info.name for info in Registry.load(config).plugins]


@pytest.mark.usefixtures("site")
def test_a_named_file_needs_no_place_on_the_list_and_can_be_turned_off(config: Config) -> None:
    config = dataclasses.replace(named(config, "hello", GOOD), allow=frozenset())
    assert Registry.load(config).info("hello").state is PluginState.OK
    assert told(Registry.load(dataclasses.replace(config, disabled=frozenset({"hello"}))).info("hello"))[:2] == (
        "off",
        "aie.toml has it in [plugins] disabled",
    )


SHOW = "aie plugins show hello --verbose shows the details"


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("source", "reason", "hint"),
    [
        (None, "there is no file 'VAULT/plugins/hello.py'", "correct its path in [plugins] files"),
        ("1 / 0", "importing it raised ZeroDivisionError: division by zero", SHOW),
        ("def (", "importing it found a syntax error in hello.py, line 1: invalid syntax", SHOW),
        ("x = 'ä'.encode('ascii')", "importing it raised UnicodeEncodeError", SHOW),
    ],
)
def test_a_file_that_is_missing_or_broken_is_listed_so(
    config: Config, source: str | None, reason: str, hint: str
) -> None:
    state, said, next_step = told(Registry.load(named(config, "hello", source)).info("hello"))
    assert (state, said.replace(str(config.vault), "VAULT")[: len(reason)], next_step) == ("broken", reason, hint)
    assert "aie_file_hello" not in sys.modules


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("place", ["hello.py", "Inbox/hello.py", "plugins/link.py"])
def test_a_file_that_a_workflow_could_write_is_not_used(config: Config, place: str) -> None:
    for folder in ("Inbox", "plugins"):
        (config.vault / folder).mkdir()
    (config.vault / "Inbox" / "hello.py").write_text(BOMB)
    (config.vault / "hello.py").write_text(BOMB)
    (config.vault / "plugins" / "link.py").symlink_to(config.vault / "Inbox" / "hello.py")
    (config.vault / "aie.toml").write_text(f'[plugins]\nfiles = {{ hello = "{place}" }}\n')
    found = Registry.load(Config.load(config.vault, {})).info("hello")
    real = "hello.py" if place == "hello.py" else "Inbox/hello.py"
    assert told(found) == (
        "broken",
        f"its file '{real}' is where a workflow could write",
        "put it into the folder plugins, where none does, or outside the vault; name that in aie.toml",
    )


@pytest.mark.usefixtures("site")
def test_a_file_outside_the_vault_is_used(tmp_path: Path, config: Config) -> None:
    config = dataclasses.replace(config, vault=tmp_path / "vault", plugin_files={"hello": tmp_path / "hello.py"})
    (tmp_path / "hello.py").write_text(GOOD)
    assert Registry.load(config).info("hello").state is PluginState.OK


def test_no_workflow_writes_where_such_files_are(tmp_path: Path) -> None:
    with pytest.raises(ParameterError):
        inside(tmp_path, "Plugins/hello.py")


def test_a_file_and_a_package_of_one_name_are_both_broken(site: Path, config: Config) -> None:
    write_dist(site, "aie-hello", GOOD)
    registry = Registry.load(named(config, "hello", GOOD))
    assert [told(info) for info in registry.plugins if info.name == "hello"] == [
        (
            "broken",
            "aie.toml names a file for 'hello', and a plugin of this name comes from aie-hello",
            "give the file another name in [plugins] files, or take the package away: aie plugins remove aie-hello",
        )
    ] * 2


@pytest.mark.usefixtures("site")
def test_two_vaults_may_have_a_file_of_one_name(tmp_path: Path, config: Config) -> None:
    other = dataclasses.replace(config, vault=tmp_path / "other")
    other.vault.mkdir()
    Registry.load(named(config, "hello", GOOD))
    registry = Registry.load(named(other, "hello", GOOD.replace('"greet"', '"wave"')))
    assert registry.info("hello").adds == {"actions": ("wave",)}


# --- built for another aie ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needs", "said"),
    [("aie-core>=0.3", "aie-core >=0.3"), ("AIE_Core<0.1", "aie-core <0.1"), ("aie-core (==9.*)", "aie-core ==9.*")],
)
def test_a_plugin_whose_package_needs_another_aie_is_not_imported(
    site: Path, config: Config, needs: str, said: str
) -> None:
    write_dist(site, "aie-late", "import aie.not_there_yet", version="2.0", metadata=f"Requires-Dist: {needs}\n")
    assert told(Registry.load(config).info("late")) == (
        "broken",
        f"aie-late 2.0 needs {said}, and {INSTALLED} is installed",
        "let the installer find versions that fit: aie plugins install --upgrade aie-late",
    )
    assert "aie_late" not in sys.modules


@pytest.mark.parametrize(
    "needs",
    [f"aie-core>={INSTALLED}", "aie-core", "aie-core>=9; python_version < '3'", "aie-core>=9; extra == 'more'", "???"],
)
def test_a_package_that_fits_or_says_nothing_readable_does_not_stand_in_the_way(
    site: Path, config: Config, needs: str
) -> None:
    write_dist(site, "aie-good", GOOD, metadata=f"Requires-Dist: {needs}\n")
    assert Registry.load(config).info("good").state is PluginState.OK


@pytest.mark.parametrize(
    ("said", "reason", "hint"),
    [
        (
            "2",
            "it is built for version 2 of the plugin API, and this aie has version 1",
            "bring aie up to date: aie plugins install --upgrade aie-core",
        ),
        (
            "0",
            "it is built for version 0 of the plugin API, and this aie has version 1",
            "look for a newer one: aie plugins install --upgrade aie-odd",
        ),
        ("'one'", "its AIE_API_VERSION is 'one', which is no whole number", "write AIE_API_VERSION = 1"),
        ("True", "its AIE_API_VERSION is True, which is no whole number", "write AIE_API_VERSION = 1"),
    ],
)
def test_a_plugin_built_for_another_version_of_the_api_is_listed_with_what_to_do(
    site: Path, config: Config, said: str, reason: str, hint: str
) -> None:
    write_dist(site, "aie-odd", f"{GOOD}\nAIE_API_VERSION = {said}\n")
    assert told(Registry.load(config).info("odd")) == ("broken", reason, hint)


def test_a_plugin_built_for_this_version_says_so_or_says_nothing(site: Path, config: Config) -> None:
    write_dist(site, "aie-good", f"{GOOD}\nAIE_API_VERSION = 1\n")
    write_dist(site, "aie-silent", GOOD)
    registry = Registry.load(config)
    assert (registry.info("good").state, registry.info("silent").state) == (PluginState.OK, PluginState.OK)
