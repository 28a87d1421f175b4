"""The pages of the cookbook as tests use them: what they have you save, set and run, and what they say you see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "cookbook"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SAVE_AS = re.compile(r"Save this as `([^`]+)`:\s*$")
LANGUAGES = {"json", "toml", "console", "text", ""}


@dataclass(frozen=True)
class Recipe:
    """One page."""

    name: str
    text: str

    @classmethod
    def load(cls, name: str) -> Recipe:
        return cls(name, (FOLDER / f"{name}.md").read_text(encoding="utf-8"))

    def __str__(self) -> str:
        return self.name

    @property
    def headings(self) -> list[str]:
        return re.findall(r"^## (.+)$", self.text, re.MULTILINE)

    @property
    def files(self) -> dict[str, str]:
        """By path in the vault, what is to be saved there."""
        saved = ((_SAVE_AS.search(before), text) for _, text, before in self._blocks())
        return {where[1]: text for where, text in saved if where}

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
        return {language for language, _, _ in self._blocks()}

    def blocks(self, wanted: str) -> list[str]:
        return [text for language, text, _ in self._blocks() if language == wanted]

    def _blocks(self) -> Iterator[tuple[str, str, str]]:
        for found in _BLOCK.finditer(self.text):
            yield found[1], found[2], self.text[: found.start()]


NAMES = sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "index")
RECIPES = [Recipe.load(name) for name in NAMES]


def says(expected: str, found: str) -> bool:
    """Whether a page's output is what was printed; ``…`` on the page stands for anything within a line."""
    pattern = r"[^\n]+".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, found.strip()) is not None
