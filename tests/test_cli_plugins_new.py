"""``aie plugins new``: what it makes, and what it refuses. That what it makes works is seen in tests/together."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from aie.cli.plugins.scaffold import scaffold
from aie.templates import TemplateCompiler
from aie.workflow import parse_workflow
from tests.command_line import CommandLine, new_vault
from tests.plugin_dists import GOOD, write_dist

MADE = {
    "package": [
        "README.md",
        "pyproject.toml",
        "src/aie_my_crm/__init__.py",
        "src/aie_my_crm/connecting.py",
        "src/aie_my_crm/messages.py",
        "src/aie_my_crm/plugin.py",
        "src/aie_my_crm/posting.py",
        "src/aie_my_crm/py.typed",
        "src/aie_my_crm/service.py",
        "src/aie_my_crm/settings.py",
        "tests/conftest.py",
        "tests/fake_my_crm.py",
        "tests/test_connecting.py",
        "tests/test_contract.py",
        "tests/test_messages.py",
        "tests/test_posting.py",
    ],
    "minimal": ["README.md", "aie_my_crm.py", "pyproject.toml", "test_my_crm.py"],
}
IMPORTED = re.compile(r"^(?:from|import) (aie(?:\.\w+)*)\b", re.MULTILINE)
RULE = "a name is lower-case letters, digits and single underscores, a letter first, and at most 40 of them"


@pytest.fixture
def aie(tmp_path: Path) -> CommandLine:
    return new_vault(tmp_path)


def block(language: str, page: str) -> str:
    """The one block of a page in this language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(found)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def refusal(error: str, where: str, hint: str) -> str:
    place = f"  Where: {where}\n" if where else ""
    return f"Error: {error}\n{place}  Next:  {hint}\n"


@pytest.mark.parametrize("form", ["package", "minimal"])
def test_it_makes_a_folder_and_says_what_to_do_next(aie: CommandLine, tmp_path: Path, form: str) -> None:
    options = ["--minimal"] if form == "minimal" else []
    ran = aie("plugins", "new", "my_crm", *options, folder=tmp_path)
    listed = "".join(f"  {path}\n" for path in MADE[form])
    following = "  cd aie-my-crm\n  pip install -e '.[test]'\n  pytest\n"
    said = f"Made the plugin my_crm in aie-my-crm:\n{listed}\nNext:\n{following}"
    assert (ran.code, ran.out, ran.err) == (0, said, "")
    assert files_in(tmp_path / "aie-my-crm") == MADE[form]


def test_a_program_is_told_the_same_in_one_object(aie: CommandLine, tmp_path: Path) -> None:
    ran = aie("plugins", "new", "my_crm", "--minimal", "--into", "deep/in here", "--json", folder=tmp_path)
    assert ran.records == [
        {
            "plugin": "my_crm",
            "package": "aie-my-crm",
            "folder": str(tmp_path.resolve() / "deep" / "in here"),
            "files": MADE["minimal"],
            "next": ["cd 'deep/in here'", "pip install -e '.[test]'", "pytest"],
        }
    ]
    assert files_in(tmp_path / "deep" / "in here") == MADE["minimal"]


def test_every_name_in_it_is_derived_from_the_plugin_s() -> None:
    text = "\n".join(part for form in MADE for item in scaffold("my_crm", form).items() for part in item)
    assert "acme" not in text.lower()
    for name in (
        'name = "aie-my-crm"',
        'my_crm = "aie_my_crm.plugin"',
        "class MyCrmSettings(BaseModel):",
        "class PostToMyCrm(BaseModel):",
        "AIE_MY_CRM__TOKEN",
        "https://my-crm.example/",
        "My crm for aie",
    ):
        assert name in text, name


def test_it_asks_for_the_aie_that_made_it_and_for_none_that_may_be_different() -> None:
    major, minor, *_ = map(int, version("aie-core").split("."))
    assert f'"aie-core>={major}.{minor},<{major}.{minor + 1}"' in scaffold("slack", "package")["pyproject.toml"]


def test_it_imports_what_stays_and_nothing_else_of_aie() -> None:
    page = (Path(__file__).parent.parent / "docs" / "plugins.md").read_text(encoding="utf-8")
    stays = {"aie", *re.findall(r"`(aie\.\w+)`", page.partition("## For authors: what stays")[2])}
    used = {name for form in MADE for text in scaffold("x", form).values() for name in IMPORTED.findall(text)}
    assert used - stays == set()
    assert {"aie", "aie.errors", "aie.testing"} <= used


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Slack", f"{RULE}: slack"),
        ("aie-my-crm", f"{RULE}: my_crm"),
        ("my crm", f"{RULE}: my_crm"),
        ("2fast", f"{RULE}: fast"),
        ("my__crm", f"{RULE}: my_crm"),
        ("../away", f"{RULE}: away"),
        ("9", RULE),
        ("x" * 41, f"{RULE}: {'x' * 40}"),
        ("core", "aie itself uses that word; take another"),
        ("disabled", "aie itself uses that word; take another"),
    ],
)
def test_a_name_that_cannot_be_is_refused(aie: CommandLine, tmp_path: Path, name: str, hint: str) -> None:
    before = files_in(tmp_path)
    ran = aie("plugins", "new", name, folder=tmp_path)
    assert (ran.code, ran.out, ran.err) == (2, "", refusal(f"{name!r} cannot be the name of a plugin", "", hint))
    assert files_in(tmp_path) == before


def test_the_name_of_an_installed_plugin_is_refused(aie: CommandLine) -> None:
    write_dist(aie.site, "aie-greeter", GOOD, version="2.1")
    ran = aie("plugins", "new", "greeter")
    said = refusal(
        "a plugin named 'greeter' is installed already, from aie-greeter 2.1",
        "greeter",
        "take another name; aie plugins show greeter has what it offers",
    )
    assert (ran.code, ran.err) == (1, said)
    assert not (aie.vault / "aie-greeter").exists()


def test_the_name_of_a_plugin_of_aie_s_own_is_refused_installed_or_not(aie: CommandLine) -> None:
    ran = aie("plugins", "new", "gmail")
    said = refusal(
        "there is a plugin named 'gmail' already, in the package aie-gmail",
        "gmail",
        "install that one, aie plugins install gmail, or take another name: two of one name do not work",
    )
    assert (ran.code, ran.err) == (1, said)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_nothing_is_overwritten(aie: CommandLine, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "aie-slack"
    mine = place / "mine.txt" if kind == "folder" else place
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("keep me")
    ran = aie("plugins", "new", "slack", folder=tmp_path)
    what = "a folder that is not empty" if kind == "folder" else "a file"
    said = refusal(
        f"'aie-slack' is {what}: nothing was made",
        str(place.resolve()),
        "choose another place with --into, or move away what is there",
    )
    assert (ran.code, ran.err, mine.read_text()) == (1, said, "keep me")
    assert files_in(tmp_path / "aie-slack") == (["mine.txt"] if kind == "folder" else [])


def test_an_empty_folder_is_filled(aie: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "aie-slack").mkdir()
    assert aie("plugins", "new", "slack", folder=tmp_path).code == 0


def test_a_place_that_cannot_be_is_an_error_in_words(aie: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "note.md").touch()
    ran = aie("plugins", "new", "slack", "--into", "note.md/slack", folder=tmp_path)
    said = refusal(
        "the plugin cannot be made: Not a directory",
        "note.md/slack",
        "check the permissions of that folder, or choose another place with --into",
    )
    assert (ran.code, ran.err) == (1, said)


def test_the_one_file_works_as_it_lies_in_the_vault(aie: CommandLine) -> None:
    aie("plugins", "new", "slack", "--minimal", "--into", "plugins")
    for name in ("README.md", "pyproject.toml", "test_slack.py"):
        (aie.vault / "plugins" / name).rename(aie.vault.parent / name)
    toml = block("toml", (aie.vault.parent / "README.md").read_text(encoding="utf-8"))
    (aie.vault / "aie.toml").write_text(toml, encoding="utf-8")
    (found,) = [one for one in aie("plugins", "list", "--json").records if one["name"] == "slack"]
    assert (found["state"], found["reason"], found["adds"]["actions"]) == ("ok", "", ["post_to_slack"])


def test_the_workflow_in_the_readme_loads() -> None:
    text = block("json", scaffold("slack", "package")["README.md"])
    workflow = parse_workflow(text, TemplateCompiler(), where="README.md")
    assert [step.action_type for step in workflow.steps] == ["post_to_slack"]
    assert json.loads(text)["trigger_event"] == "slack_message"
