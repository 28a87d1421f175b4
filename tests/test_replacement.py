"""One workflow file, with the official plugin and with somebody else's that offers the same action."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import CommandLine, new_vault
from tests.plugin_dists import write_dist

# Keeps what is written in a drawer of its own, all in one file.
DRAWER = """
    from pydantic import BaseModel, Field

    from aie import ActionHandler, Effect, hookimpl
    from aie.touches import Touches


    class CreateFile(BaseModel):
        path: str = Field(description="what it is called")
        content: str = Field(description="what is in it")


    class Kept(BaseModel):
        path: str = Field(description="where it is")


    def keep(params, context):
        with (context.vault / "drawer.txt").open("a", encoding="utf-8") as drawer:
            drawer.write(f"{params.path}: {params.content}\\n")
        return {"path": "drawer.txt"}


    @hookimpl
    def aie_action_handlers(settings):
        return [
            ActionHandler(
                "create_file", CreateFile, keep, "puts it into the drawer", Kept, Effect.LOCAL,
                touches=Touches(folders=("drawer.txt",)),
            )
        ]
"""
BOTH = [
    {"action_type": "create_file", "parameters": {"path": "said.md", "content": "{{ event.data.text }}"}},
    {"action_type": "create_file", "parameters": {"path": "where.md", "content": "{{ results.action_0.path }}"}},
]


@pytest.fixture
def aie(tmp_path: Path) -> CommandLine:
    aie = new_vault(tmp_path)
    write_dist(aie.site, "aie-drawer", DRAWER)
    aie.workflow("keep", name="Keep", trigger_event="note_taken", actions=BOTH)
    (tmp_path / "event.json").write_text('{"event_type": "note_taken", "data": {"text": "hello"}}')
    return aie


def kept(aie: CommandLine) -> dict[str, str]:
    """What the workflow has left, by file, when it has run with this ``aie.toml``."""
    ran = aie("run", "keep", "--event", str(aie.vault.parent / "event.json"))
    assert (ran.code, ran.err) == (0, "")
    files = [aie.vault / name for name in ("said.md", "where.md", "drawer.txt")]
    return {path.name: path.read_text() for path in files if path.exists()}


def test_the_file_works_with_the_official_plugin(aie: CommandLine) -> None:
    (aie.vault / "aie.toml").write_text('[actions]\ncreate_file = "vault"\n')
    assert kept(aie) == {"said.md": "hello", "where.md": "said.md"}


def test_the_same_file_works_with_the_replacement(aie: CommandLine) -> None:
    (aie.vault / "aie.toml").write_text('[actions]\ncreate_file = "drawer"\n')
    assert kept(aie) == {"drawer.txt": "said.md: hello\nwhere.md: drawer.txt\n"}


def test_without_a_choice_it_is_ambiguous_and_the_choice_is_named(aie: CommandLine) -> None:
    ran = aie("run", "keep", "--event", str(aie.vault.parent / "event.json"))
    assert "keep: blocked" in ran.out
    assert "create_file is ambiguous: drawer.create_file and vault.create_file" in ran.out
    assert 'choose in aie.toml: [actions] create_file = "drawer"' in ran.out


def test_the_replacement_may_take_the_name_of_the_official_one_where_that_is_not_allowed(aie: CommandLine) -> None:
    write_dist(aie.site, "better-vault", DRAWER, plugin="vault")
    (aie.vault / "aie.toml").write_text('[plugins]\nallow = ["better-vault"]\n')
    assert kept(aie) == {"drawer.txt": "said.md: hello\nwhere.md: drawer.txt\n"}
