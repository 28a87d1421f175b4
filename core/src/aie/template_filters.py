"""The filters and tests of the template language. Each takes plain data, is charged for, and never calls a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from aie.moments import moment, plus
from aie.operations import (
    Budget,
    OperationError,
    absolute,
    check_length,
    count_of,
    decimal_number,
    extreme,
    items_of,
    joined,
    kind,
    ordered,
    replaced,
    rounded,
    sliced,
    total,
    whole_number,
)
from aie.plain import dumps, shown

_DATE_DIRECTIVE = re.compile(r"%[aAbBdHIjmMpSyYzZ%]")
_WORD_START = re.compile(r"(^|[-\s({\[<])(\w)")
_REQUIRED: Any = object()


def text_of(budget: Budget, value: Any) -> str:
    """A value as it appears in running text: null is nothing, everything else as Python writes it."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if type(value) in (list, tuple, dict):
        budget.weigh(value)
    elif type(value) not in (int, float, bool):
        raise OperationError("this is not data")
    return str(value)


def _needed(budget: Budget, value: Any) -> str:
    text = text_of(budget, value)
    budget.spend_text(len(text))
    return text


def _plain(method: Callable[[str], str]) -> Callable[[Budget, Any], str]:
    return lambda budget, value: method(_needed(budget, value))


def _title(budget: Budget, value: Any) -> str:
    return _WORD_START.sub(lambda found: found[1] + found[2].upper(), _needed(budget, value).lower())


def _replace(budget: Budget, value: Any, old: Any, new: Any) -> str:
    return replaced(budget, text_of(budget, value), old, new)


def _join(budget: Budget, value: Any, separator: Any = "") -> str:
    items = items_of(budget, value)
    between = text_of(budget, separator)
    check_length(budget, len(between) * max(0, len(items) - 1))
    texts: list[str] = []
    length = 0
    for item in items:
        texts.append(text_of(budget, item))
        length += len(texts[-1]) + len(between)
        check_length(budget, length - len(between))
    budget.spend_text(length)
    return between.join(texts)


def _first(budget: Budget, value: Any) -> Any:
    return _end(value, 0)


def _last(budget: Budget, value: Any) -> Any:
    return _end(value, -1)


def _end(value: Any, index: int) -> Any:
    if type(value) not in (list, tuple, str):
        raise OperationError(f"{kind(value)} has no {'last' if index else 'first'} item")
    if not value:
        raise OperationError(f"there is no {'last' if index else 'first'} item: it is empty")
    return value[index]


def _round(budget: Budget, value: Any, precision: Any = 0, method: Any = "common") -> Any:
    if method == "common":
        return rounded(value, precision)
    if method not in ("ceil", "floor") or type(precision) is not int or abs(precision) > 30:
        raise OperationError("round takes a number of digits and one of 'common', 'ceil', 'floor'")
    if type(value) not in (int, float, bool):
        raise OperationError(f"cannot round {kind(value)}")
    direction = ROUND_CEILING if method == "ceil" else ROUND_FLOOR
    exact = _decimal(value).quantize(Decimal(1).scaleb(-precision), rounding=direction)
    return int(exact) if type(value) is int and precision <= 0 else float(exact)


def _int(budget: Budget, value: Any, default: Any = _REQUIRED) -> Any:
    try:
        return whole_number(value)
    except OperationError:
        if default is _REQUIRED:
            raise
        return default


def _float(budget: Budget, value: Any, default: Any = _REQUIRED) -> Any:
    try:
        return decimal_number(value)
    except OperationError:
        if default is _REQUIRED:
            raise
        return default


def _sort(budget: Budget, value: Any, reverse: Any = False) -> list[Any]:
    return ordered(budget, value, reverse=bool(reverse))


def _unique(budget: Budget, value: Any) -> list[Any]:
    items = items_of(budget, value)
    for _ in range(4):  # writing a value costs more than reading it
        budget.weigh(items)
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(dumps(item), item)
    return list(found.values())


def _reverse(budget: Budget, value: Any) -> Any:
    if type(value) is str:
        budget.spend_text(len(value))
        return value[::-1]
    return items_of(budget, value)[::-1]


def _truncate(budget: Budget, value: Any, length: Any = 255, killwords: Any = False, end: Any = "...") -> str:
    text, ending = _needed(budget, value), text_of(budget, end)
    if type(length) is not int or length < len(ending):
        raise OperationError(f"truncate takes a length of at least {len(ending)}, not {shown(length)}")
    if len(text) <= length:
        return text
    kept = text[: length - len(ending)]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + ending


def _tojson(budget: Budget, value: Any) -> str:
    budget.weigh(value)
    text = dumps(value)
    check_length(budget, len(text))
    return text


def _date(budget: Budget, value: Any, format: Any = "%Y-%m-%d") -> str:
    # A width, as in %999999999d, would be taken literally by the C library.
    if type(format) is not str or len(format) > 100 or "%" in _DATE_DIRECTIVE.sub("", format) or "\0" in format:
        raise OperationError(f"date does not know the format {shown(format)}", "as in '%d.%m.%Y %H:%M'")
    try:
        return moment(value, "date").strftime(format)
    except (ValueError, OverflowError):
        raise OperationError(f"{shown(value)} cannot be written as {shown(format)}") from None


def _plus(budget: Budget, value: Any, days: Any = 0, hours: Any = 0, minutes: Any = 0) -> str:
    return plus(value, days, hours, minutes)


def _money(budget: Budget, value: Any) -> str:
    return f"{_decimal(value).quantize(Decimal('0.01'), rounding=ROUND_HALF_UP):,f}"


def _decimal(value: Any) -> Decimal:
    if type(value) in (int, float) or (type(value) is str and len(value) <= 40):
        try:
            number = Decimal(str(value))
            if number.is_finite() and number.adjusted() < 25:
                return number
        except InvalidOperation:
            pass
    raise OperationError(f"an amount is needed here, not {shown(value)}")


def _indent(budget: Budget, value: Any, width: Any = 4, first: Any = False) -> str:
    if type(width) is not int or not 0 <= width <= 40:
        raise OperationError(f"indent takes a width from 0 to 40, not {shown(width)}")
    lines = _needed(budget, value).split("\n")
    check_length(budget, sum(len(line) + width + 1 for line in lines))
    budget.spend(len(lines) * (1 + width // 4))
    blank = " " * width
    indented = [blank + line if line and (first or number) else line for number, line in enumerate(lines)]
    return "\n".join(indented)


def _items(budget: Budget, value: Any) -> list[Any]:
    if type(value) is not dict:
        raise OperationError(f"items needs a mapping, not {kind(value)}")
    budget.spend(len(value) * 2)
    return [list(pair) for pair in value.items()]


def get_item(budget: Budget, value: Any, key: Any, default: Any = None) -> Any:
    """``mapping.get(key, default)``."""
    if type(value) is not dict:
        raise OperationError(f"{kind(value)} has no get()")
    if type(key) is not str:
        raise OperationError(f"keys are text, not {kind(key)}")
    return value.get(key, default)


def concatenated(budget: Budget, *values: Any) -> str:
    """``a ~ b``."""
    return joined(budget, [text_of(budget, value) for value in values])


def part_of(budget: Budget, value: Any, start: Any, stop: Any, step: Any) -> Any:
    """``value[start:stop:step]``."""
    return sliced(budget, value, slice(start, stop, step))


# What a filter is called by, its function, and the names its arguments may be given by, in order.
FILTERS: Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]] = MappingProxyType(
    {
        "abs": (lambda budget, value: absolute(value), ()),
        "capitalize": (_plain(str.capitalize), ()),
        "count": (lambda budget, value: count_of(value), ()),
        "date": (_date, ("format",)),
        "first": (_first, ()),
        "float": (_float, ("default",)),
        "indent": (_indent, ("width", "first")),
        "int": (_int, ("default",)),
        "items": (_items, ()),
        "join": (_join, ("separator",)),
        "last": (_last, ()),
        "length": (lambda budget, value: count_of(value), ()),
        "lower": (_plain(str.lower), ()),
        "max": (lambda budget, value: extreme(budget, max, value), ()),
        "min": (lambda budget, value: extreme(budget, min, value), ()),
        "money": (_money, ()),
        "plus": (_plus, ("days", "hours", "minutes")),
        "replace": (_replace, ("old", "new")),
        "reverse": (_reverse, ()),
        "round": (_round, ("precision", "method")),
        "sort": (_sort, ("reverse",)),
        "string": (_needed, ()),
        "sum": (total, ()),
        "title": (_title, ()),
        "tojson": (_tojson, ()),
        "trim": (_plain(str.strip), ()),
        "truncate": (_truncate, ("length", "killwords", "end")),
        "unique": (_unique, ()),
        "upper": (_plain(str.upper), ()),
    }
)

TESTS: Mapping[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "none": lambda value: value is None,
        "string": lambda value: type(value) is str,
        "number": lambda value: type(value) in (int, float),
        "boolean": lambda value: type(value) is bool,
        "mapping": lambda value: type(value) is dict,
        "sequence": lambda value: type(value) in (list, tuple),
    }
)
