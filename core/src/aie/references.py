"""What a condition or a template refers to, known without running it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aie.plain import Json, path_text, shown

Path = tuple[str, ...]

MISSING = "missing"


@dataclass(frozen=True, slots=True)
class References:
    """Static paths into the scope; required are those read without ``.get`` or a default."""

    paths: frozenset[Path] = frozenset()
    required_paths: frozenset[Path] = frozenset()

    @classmethod
    def to(cls, paths: Iterable[Path], required_paths: Iterable[Path]) -> References:
        """These; often all that is read is required, and one set does for both."""
        read, required = frozenset(paths), frozenset(required_paths)
        return cls(read, read if read == required else required)

    @classmethod
    def union(cls, several: Sequence[References]) -> References:
        """Everything that any of them refers to."""
        if len(several) == 1:
            return several[0]
        return cls.to(
            frozenset[Path]().union(*(one.paths for one in several)),
            frozenset[Path]().union(*(one.required_paths for one in several)),
        )

    @property
    def result_steps(self) -> frozenset[str] | None:
        """Ids of the steps whose results are read; None when that is only known at run time: then all of them."""
        if ("results",) in self.paths:
            return None
        return frozenset(path[1] for path in self.paths if path[0] == "results")

    def explain(self, scope: Mapping[str, Json]) -> list[tuple[str, Json | str]]:
        """The value at each path, sorted by path; ``missing`` where there is none."""
        return [(path_text(list(path)), _value_at(scope, path)) for path in sorted(self.paths)]


def _value_at(scope: Mapping[str, Json], path: Path) -> Json | str:
    value: Json | Mapping[str, Json] = scope
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = value[key]
    return value if not isinstance(value, Mapping) else dict(value)


def nearest(word: str, words: Iterable[str]) -> str:
    """The hint ``did you mean 'amount'?``, or nothing when no word is close."""
    close = difflib.get_close_matches(word[:100], [each for each in words if len(each) <= 100], n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def listed_keys(value: Mapping[str, object] | Iterable[str], limit: int = 12) -> str:
    """Keys for a message: words as they are, anything else quoted, the rest counted."""
    keys = list(value)
    words = [key if key.isidentifier() and len(key) <= 60 else shown(key) for key in keys[:limit]]
    more = f" and {len(keys) - limit} more" if len(keys) > limit else ""
    return ", ".join(words) + more if words else "nothing"
