"""The pages of the cookbook as tests use them: what they have you save, set and run, and what they say you see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from tests.pages import ROOT, Block, blocks

FOLDER = ROOT / "docs" / "cookbook"
LANGUAGES = {"json", "toml", "console", "text", ""}


@dataclass(frozen=True)
class Recipe:
    """One page."""

    name: str

    @cached_property
    def text(self) -> str:
        return (FOLDER / f"{self.name}.md").read_text(encoding="utf-8")

    @cached_property
    def _blocks(self) -> list[Block]:
        return blocks(FOLDER / f"{self.name}.md")

    def __str__(self) -> str:
        return self.name

    @property
    def headings(self) -> list[str]:
        return re.findall(r"^## (.+)$", self.text, re.MULTILINE)

    @property
    def files(self) -> dict[str, str]:
        """By path in the vault, what is to be saved there."""
        return {block.saved_as: block.text for block in self._blocks if block.saved_as}

    @property
    def settings(self) -> str:
        """What goes into ``aie.toml``."""
        return "\n".join(self.blocks("toml"))

    @property
    def command(self) -> str:
        (command,) = self.blocks("console")
        return command.strip()

    @property
    def output(self) -> str:
        (output,) = self.blocks("text")
        return output

    @property
    def note(self) -> str:
        """The note that the page has you write."""
        (note,) = self.blocks("")
        return note

    @property
    def languages(self) -> set[str]:
        return {block.language for block in self._blocks}

    def blocks(self, wanted: str) -> list[str]:
        return [block.text for block in self._blocks if block.language == wanted]


NAMES = sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "index")
RECIPES = [Recipe(name) for name in NAMES]


def says(expected: str, found: str) -> bool:
    """Whether a page's output is what was printed; ``…`` on the page stands for anything within a line."""
    pattern = r"[^\n]+".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, found.strip()) is not None
