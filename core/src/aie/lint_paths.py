"""Whether a path such as ``event.data.amount`` can be there, by the model of what it leads into."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from aie.references import nearest

_SCALARS = (str, int, float, bool, bytes)


@dataclass(frozen=True, slots=True)
class Miss:
    """A name that the model does not have. ``known`` are those it has beside it; none within a text or a number."""

    path: tuple[str, ...]  # up to and with the name that is missing
    known: tuple[str, ...]


def miss_in(path: Sequence[str], model: type[BaseModel]) -> Miss | None:
    """The first name on the path that the model, or a model within it, does not have; None if all may be there."""
    return _miss(tuple(path), 0, (model,))


def _miss(path: tuple[str, ...], depth: int, kinds: tuple[Any, ...]) -> Miss | None:
    if depth == len(path):
        return None
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    if any(kind not in _SCALARS and kind is not type(None) and kind not in models for kind in kinds):
        return None  # a dict, a list, anything: what is in there is nobody's to say
    fields = {field.alias or name: field for model in models for name, field in model.model_fields.items()}
    name = path[depth]
    if name in fields:
        return _miss(path, depth + 1, tuple(_kinds(fields[name].annotation)))
    if models and not fields:
        return None  # a model that names nothing takes anything
    return Miss(path[: depth + 1], tuple(fields))


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types a value may have: ``str | None`` has two."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _kinds(part)
    else:
        yield annotation


def misspelt(word: str, words: Iterable[str]) -> str:
    """The one of the words that this is a slip of the keyboard for; '' if it may well be another word."""
    words = list(words)
    plain = _letters(word)
    slips = [other for other in words if _letters(other) == plain or _is_slip(word, other)]
    return min(slips, key=lambda other: (_letters(other) != plain, distance(word, other)), default="")


def suggestion(word: str, words: Sequence[str]) -> str:
    """``did you mean 'amount'?`` or the names there are."""
    close = misspelt(word, words)
    if close:
        return f"did you mean {close!r}?"
    parts = [other for other in words if word.lower() in other.split("_")]
    if len(parts) == 1:
        return f"did you mean {parts[0]!r}?"
    return nearest(word, words) or f"there are: {', '.join(words) or 'none'}"


def _letters(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _is_slip(word: str, other: str) -> bool:
    """Word by word, so that ``customer_mail`` is ``customer_email`` and ``customer_no`` is not ``customer_id``."""
    left, right = word.lower().split("_"), other.lower().split("_")
    if len(left) != len(right):
        return len(_letters(word)) > 6 and distance(_letters(word), _letters(other)) <= 1
    return all(one == two or _near(one, two) for one, two in zip(left, right, strict=True))


def _near(one: str, two: str) -> bool:
    shorter = min(len(one), len(two))
    allowed = 2 if shorter >= 7 else 1
    return shorter >= 3 and distance(one, two) <= allowed


def distance(one: str, two: str) -> int:
    """How many letters to add, drop, change or swap with their neighbour to make one of the other."""
    one, two = one[:60], two[:60]
    before, row = list[int](), list(range(len(two) + 1))
    for place, letter in enumerate(one, 1):
        older, before, row = before, row, [place]
        for other_place, other in enumerate(two, 1):
            cost = min(before[other_place] + 1, row[-1] + 1, before[other_place - 1] + (letter != other))
            swapped = (
                place > 1 and other_place > 1 and one[place - 2 : place] == two[other_place - 2 : other_place][::-1]
            )
            row.append(min(cost, older[other_place - 2] + 1) if swapped else cost)
    return row[-1]
