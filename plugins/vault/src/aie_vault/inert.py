"""Foreign text made inert: what came by mail may be read in a note, and does nothing there.

A vault is not only rendered: plugins run code found in notes (Dataview blocks and inline queries, Templater's ``<%``),
front matter and task marks are read as data, pictures are fetched from the network.
"""

from __future__ import annotations

import re
import unicodedata

_KEPT = "\n\t\u200c\u200d"  # line ends, tabs, and the joiners that emoji and several scripts need
_TEMPLATER = re.compile(r"<(?=%)")
_ACTIVE = re.compile(
    r"""
    \\(?=[!-/:-@\[-`{-~])        # a backslash that would take part in Markdown
    | <                          # HTML, comments, Templater
    | &(?=\#?\w+;)               # entities, which could spell any of the others
    | `                          # code: Dataview queries inline and in blocks
    | (?<=%)% | (?<=:):          # Obsidian comments; Dataview fields
    | (?<=~~)~                   # the other code fence
    | !(?=\[)                    # embedded notes and pictures
    """,
    re.VERBOSE,
)
_SCHEME = re.compile(
    r"(?i)(?<![a-z])(?:(?!https?:|mailto:)([a-z][a-z0-9+.-]*):(?=//)|(javascript|data|vbscript|file|obsidian):(?=\S))"
)


def visible(text: str) -> str:
    """The same text, line ends as ``\\n``, characters that hide or reorder others written out, as ``\\u202e``."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.replace("\n", "").replace("\t", "").isprintable():  # nearly always, and much faster to find out
        return text
    return "".join(char if char in _KEPT or not _hides(char) else _written_out(char) for char in text)


def fenced(text: str) -> str:
    """A code block that shows the text as it is, inside a fence longer than any in it."""
    text = tamed(visible(text))
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def line(text: str, limit: int = 200) -> str:
    """One line for a sentence or heading, in which not even links and tags work."""
    flat = " ".join(visible(text).split())
    short = flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
    return re.sub(r"([\[\]#|])", r"\\\1", paragraph(short))


def paragraph(text: str) -> str:
    """Markdown that keeps its lists, emphasis and links, and loses what could run, fetch or hide something."""
    escaped = _ACTIVE.sub(lambda found: "&lt;" if found[0] == "<" else f"\\{found[0]}", visible(text))
    return _SCHEME.sub(lambda found: f"{found[1] or found[2]}: ", escaped)


def tamed(text: str) -> str:
    """The text with a blank put into every ``<%``, which Templater runs wherever it stands, in code blocks too."""
    return _TEMPLATER.sub("< ", text)


def _hides(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _written_out(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
