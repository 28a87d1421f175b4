"""What the pages say is so: links lead somewhere, workflows load, settings are settings, commands are commands."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import click
import pytest

from aie import cli
from aie.config import Config
from aie.plugins import Registry
from aie.templates import TemplateCompiler
from aie.workflow import parse_workflow
from aie.workflow_schema import workflow_schema
from tests.pages import DOCS, OWN_TESTS, PAGES, ROOT, SHOWN, blocks, name_of

TESTED = {  # the languages of blocks, and who tests them
    "console": "tests/test_docs_run.py sees to it that they are run",
    "json": "test_every_workflow_loads",
    "python": "tests/test_docs_run.py and tests/test_docs_testing.py run them",
    "toml": "test_every_setting_can_be_used",
    "ini": "tests/test_docs_services.py",
    "xml": "tests/test_docs_services.py",
}
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md"))

every_page = pytest.mark.parametrize("path", PAGES, ids=name_of)


@pytest.mark.parametrize("path", [page for page in PAGES if page not in OWN_TESTS], ids=name_of)
def test_every_block_is_in_a_language_that_somebody_tests(path: Path) -> None:
    unknown = {block.language for block in blocks(path)} - {*TESTED, *SHOWN}
    assert not unknown, f"nobody tests blocks of {unknown}"


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_every_workflow_loads(path: Path) -> None:
    for block in blocks(path):
        if block.language == "json":
            parse_workflow(block.text, TemplateCompiler(), where=path.name)


def test_the_page_on_workflows_names_every_field_and_all_that_core_brings(tmp_path: Path) -> None:
    registry = Registry.load(Config.load(tmp_path, {}), only={"core"})
    core = registry.plugin("core")
    schema = workflow_schema(registry)
    parts = [schema, *(schema["$defs"][name] for name in ("StepDefinition", "RetryDefinition", "ScheduleDefinition"))]
    wanted = [field for part in parts for field in part["properties"]]
    wanted += [field for handler in core.handlers for field in (handler.name, *handler.params.model_fields)]
    wanted += [spec.name for spec in core.event_types]
    page = (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")
    named = {word for code in re.findall(r"`([^`\n]+)`", page) for word in re.findall(r"\$?\w+", code)}
    assert set(wanted) - named == set()


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_every_setting_can_be_used(path: Path, tmp_path: Path) -> None:
    for block in blocks(path):
        if block.language == "toml":
            (tmp_path / "aie.toml").write_text(block.text, encoding="utf-8")
            assert Registry.load(Config.load(tmp_path, {}), only={"core"}).info("core").reason == ""


@every_page
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", [*PAGES, *TEMPLATES], ids=name_of)
def test_every_command_that_is_named_exists_with_its_options(path: Path) -> None:
    assert [problem for command in commands(path) if (problem := wrong_with(command))] == []


def commands(path: Path, program: str = "aie") -> list[str]:
    """All that is written as code and begins with this program, in blocks and in sentences."""
    text, lines = path.read_text(encoding="utf-8"), []
    for block in blocks(path):
        text = text.replace(block.text, "")
        lines += block.text.splitlines() if block.language in (*SHOWN, "console", "sh") else []
    lines += [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", text.replace("```", ""))]
    return [line.strip() for line in lines if re.match(rf" *{program} [a-z]", line)]


def wrong_with(text: str) -> str:
    """Why this is no command; '' if it is one. Words in capitals, and ``…``, stand for what a person puts there."""
    command: click.Command = cli.root
    words = text.split()[1:]
    while isinstance(command, click.Group) and words and not re.fullmatch(r"[A-Z]+|…|-.*", words[0]):
        word, *words = words
        try:
            _, found, _ = command.resolve_command(click.Context(command), [word])
        except click.UsageError:
            found = None
        if found is None:
            return f"{text!r}: there is no command {word!r}"
        command = found
    known = {
        "--help",
        *(option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]),
    }
    unknown = [word for word in words if re.fullmatch(r"--[a-z][a-z-]*", word) and word not in known]
    return f"{text!r}: there is no option {unknown[0]!r}" if unknown else ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("aie runs list --status failed --json", ""),
        ("aie runs lst", "'aie runs lst': there is no command 'lst'"),
        ("aie runs list --statsu failed", "'aie runs list --statsu failed': there is no option '--statsu'"),
        ("aie nothing", "'aie nothing': there is no command 'nothing'"),
        ("aie connect NAME", ""),
    ],
)
def test_a_command_that_is_not_there_is_noticed(text: str, problem: str) -> None:
    assert wrong_with(text) == problem


@every_page
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {command.split()[1] for command in commands(path, "make")} - targets == set()


def test_every_test_that_the_page_on_security_names_exists() -> None:
    where, missing = "", []
    for name in re.findall(r"`((?:tests|plugins)/\S+\.py|test_\w+)`", (ROOT / "docs" / "security.md").read_text()):
        if name.endswith(".py"):
            where = (ROOT / name).read_text(encoding="utf-8")
        elif f"def {name}(" not in where:
            missing.append(name)
    assert missing == []


def test_every_package_has_the_version_that_the_changelog_speaks_of() -> None:
    projects = [ROOT / "core" / "pyproject.toml", *(ROOT / "plugins").glob("*/pyproject.toml")]
    (version,) = {tomllib.loads(path.read_text(encoding="utf-8"))["project"]["version"] for path in projects}
    assert version in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_an_issue_template_has_what_a_code_host_asks_for(path: Path) -> None:
    _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.splitlines())
    assert set(fields) == {"name", "about", "title", "labels"}
    assert json.loads(fields["title"]) == ""
    assert body.strip()
