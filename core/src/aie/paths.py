"""Names and paths: which ones a workflow may use, and a file name made of any text."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from aie.errors import ParameterError

PROTECTED: tuple[str, ...] = (
    "Pending_Approval",
    "Approved",
    "Rejected",
    "Done",
    "Logs",
    "integrations",
    "plugins",
    "**/workflows",
    "**/.obsidian",
    "**/.git",
    "**/aie.toml",
    "**/CLAUDE.md",
    "**/AGENTS.md",
)
"""What no workflow writes to: names at the top of the vault, or with ``**/`` in any folder. Case does not matter."""

_EXAMPLE = 'write a path below the vault with forward slashes, for example "Inbox/Meeting notes.md"'
_ILLEGAL = '\\:<>"|?*'
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)")
_SHORT_NAME = re.compile(r"[^.]{1,6}~[0-9]+(\.[^.]{0,3})?")  # Windows' second name for a long one, such as PENDIN~1
_MAX_NAME_BYTES = 255
_MAX_PATH_BYTES = 1024


def path_parts(relative: str, *, protected: Collection[str] = (), there: bool = False) -> tuple[str, ...]:
    """The names in a path, NFC-normalised; ParameterError for anything but a plain path below some folder, and outside
    everything protected.

    With ``there`` it is the path of a file that a person made, whose name need not be legal on every system.
    """
    portable = not there or os.name == "nt"  # where such names cannot be, and a colon means something else
    path = unicodedata.normalize("NFC", relative)
    if not path:
        raise wrong_path(path, "is empty")
    if re.match(r"[A-Za-z]:", path):
        raise wrong_path(path, f"starts with the drive letter {path[:2]!r}")
    if path.startswith(("/", "~/")):
        raise wrong_path(path, "is absolute")
    if "\\" in path:
        raise wrong_path(path, "has a backslash in it")
    parts = tuple(path.split("/"))
    for part in parts:
        problem = _name_problem(part) or (_not_portable(part) if portable else "")
        if problem:
            raise wrong_path(path, problem)
    if len(path.encode()) > _MAX_PATH_BYTES:
        raise wrong_path(path, f"is longer than {_MAX_PATH_BYTES} bytes")
    _refuse_protected(path, parts, protected)
    return parts


def inside(root: Path, relative: str, *, protected: Collection[str] = PROTECTED, there: bool = False) -> Path:
    """``root / relative``, once it is sure to lie in ``root`` and outside everything protected.

    Follows links to see where they lead: one that leaves the root is refused, one that stays within it is not. A link
    put there afterwards is what :meth:`aie.files.Files.write_inside` and its siblings are safe from, and this is not.
    """
    parts = path_parts(relative, protected=protected, there=there)
    path = root.joinpath(*parts)
    try:
        home, target = root.resolve(), path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise wrong_path(relative, f"cannot be followed: {error}") from None
    if not target.is_relative_to(home):
        raise wrong_path(relative, "leads out of the vault through a link")
    _refuse_protected(relative, target.relative_to(home).parts, protected)
    return path


def safe_name(text: str, max_bytes: int = 120) -> str:
    """A file name (without extension) made of any text: legal everywhere, never hidden, never empty (``untitled``)."""
    name = unicodedata.normalize("NFC", re.sub(r"\{\{.*?\}\}", " ", text, flags=re.DOTALL))
    name = re.sub(r'[\\/:*?"<>|#^\[\]~]|%%', " ", name)
    name = "".join(" " if char.isspace() else char for char in name if char.isspace() or _prints(char))
    name = _trimmed(unicodedata.normalize("NFC", " ".join(name.split())), max_bytes)
    if _DEVICE.match(name):
        stem, dot, rest = name.partition(".")
        name = _trimmed(f"{stem.rstrip()}_{dot}{rest}", max_bytes)
    return name or "untitled"


def numbered(name: str, number: int) -> str:
    """``note.md``, ``note 2.md``, ``note 3.md`` … for 1, 2, 3 …, never longer than a name may be."""
    if number == 1:
        return name
    path = PurePosixPath(name)
    tail = f" {number}{path.suffix}"
    stem = path.stem.encode()[: _MAX_NAME_BYTES - len(tail.encode())].decode(errors="ignore")
    return f"{stem.rstrip('. ')}{tail}"


def _trimmed(name: str, max_bytes: int) -> str:
    return name.strip(". ").encode()[:max_bytes].decode(errors="ignore").strip(". ")


def _prints(char: str) -> bool:
    return unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def _name_problem(name: str) -> str:
    """What is wrong with one name of a path; empty when nothing is."""
    if name in {"", ".", ".."}:
        return f'has {name!r} in it: "..", "." and empty names are not allowed' if name else "has an empty name in it"
    found = next((char for char in name if not _prints(char)), None)
    if found is not None:
        return f"has the invisible character {found!r} in it"
    problems = {
        f"has the hidden name {name!r} in it": name.startswith("."),
        # On a network drive of Windows it can be another name: there, "Approved." is "Approved".
        f"has a name ending in a dot or blank in it, {name!r}": name.endswith((".", " ")),
        f"has the short name {name!r} in it": bool(_SHORT_NAME.fullmatch(name)),
        f"has a name of more than {_MAX_NAME_BYTES} bytes in it": len(name.encode()) > _MAX_NAME_BYTES,
    }
    return next((problem for problem, found in problems.items() if found), "")


def _not_portable(name: str) -> str:
    """Why some system could not have a file of this name; empty when all can."""
    found = next((char for char in name if char in _ILLEGAL), None)
    if found is not None:
        return f"has the character {found!r} in it"
    problems = {
        f"has a name starting with a blank in it, {name!r}": name.startswith(" "),
        f"has the device name {name!r} in it": bool(_DEVICE.match(name)),
    }
    return next((problem for problem, found in problems.items() if found), "")


def _refuse_protected(relative: str, parts: tuple[str, ...], protected: Collection[str]) -> None:
    names = [folded(part) for part in parts]
    for entry in protected:
        anywhere = entry.startswith("**/")
        wanted = [folded(part) for part in PurePosixPath(entry.removeprefix("**/")).parts]
        starts = range(len(names)) if anywhere else range(min(1, len(names)))
        if wanted and any(names[start : start + len(wanted)] == wanted for start in starts):
            raise wrong_path(relative, f"is protected: no workflow writes to {entry.removeprefix('**/')!r}")


def folded(name: str) -> str:
    """The name as one that no folder could hold beside it: case and the form of accents do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def wrong_path(relative: str, problem: str) -> ParameterError:
    """The error for a path that cannot be used; ``problem`` goes on after it: ``is empty``."""
    return ParameterError(f"the path {relative[:200]!r} {problem}", where="path", hint=_EXAMPLE)
