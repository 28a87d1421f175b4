"""What the condition and template languages can do to values: a few operations, each with a bounded cost.

Nothing here looks up an attribute of a value or calls one. Whatever reads or builds more than a few bytes is charged
to the Budget of the evaluation, so that no combination of allowed operations can take long or fill the memory.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from aie.references import listed_keys, nearest

MAX_WORK = 2_000_000
MAX_BITS = 128
_MAX_ARGUMENT = 1_000
_CHARACTERS_PER_UNIT = 4

_NUMBERS = frozenset({int, float, bool})
_KINDS: Mapping[type, str] = MappingProxyType(
    {str: "text", list: "a list", tuple: "a list", set: "a set", dict: "a mapping"}
)
_SCALARS = frozenset({int, float, bool, type(None)})


class OperationError(Exception):
    """A sentence for the author of the expression; the language adds which expression it was."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Budget:
    """The cost of one evaluation so far, and how large a text or list it may build."""

    __slots__ = ("max_items", "max_text", "work")

    def __init__(self, *, max_text: int, max_items: int) -> None:
        self.max_text = max_text
        self.max_items = max_items
        self.work = 0

    def spend(self, units: int) -> None:
        self.work += units
        if self.work > MAX_WORK:
            raise OperationError("this would take too much work for the data it is given")

    def spend_text(self, length: int) -> None:
        self.spend(1 + length // _CHARACTERS_PER_UNIT)

    def weigh(self, value: object) -> None:
        """Charge for reading all of a value, however often its parts are shared."""
        stack = [value]
        while stack:
            item = stack.pop()
            if type(item) is str:
                self.spend_text(len(item))
                continue
            self.spend(1)
            if type(item) is dict:
                stack.extend(item.keys())
                stack.extend(item.values())
            elif type(item) in (list, tuple, set):
                stack.extend(item)  # type: ignore[arg-type]


def kind(value: object) -> str:
    """What a value is, in the words of a message."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return _KINDS.get(type(value), "no data")


def missing_item(base: str, value: object, key: object) -> OperationError:
    """The error for a key or index that is not there, saying what is."""
    if type(value) is dict:
        message = f"{base!r} has no {key!r}; {base!r} has: {listed_keys(value)}"
        return OperationError(message, nearest(key, value) if isinstance(key, str) else "")
    if type(value) in (list, tuple, str) and type(key) is int:
        count = len(value)  # type: ignore[arg-type]
        return OperationError(f"{base!r} has no item {key}; it has {count} {'item' if count == 1 else 'items'}")
    return OperationError(f"{base!r} is {kind(value)}, so it has no {key!r}")


def bounded(number: Any) -> Any:
    """The number itself, if it is finite and of a sensible size."""
    if type(number) is float:
        if not math.isfinite(number):
            raise OperationError("the result is not a finite number")
    elif number.bit_length() > MAX_BITS:
        raise OperationError(f"the number is larger than {MAX_BITS} bits")
    return number


def binary(budget: Budget, symbol: str, left: Any, right: Any) -> Any:
    """``left symbol right`` for one of + - * / // %: numbers; + also joins two texts or two lists."""
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        try:
            return bounded(_ARITHMETIC[symbol](left, right))
        except ZeroDivisionError:
            raise OperationError(f"division by zero ({symbol})") from None
        except OverflowError:
            raise OperationError(f"the result of {symbol} is too large") from None
    if symbol == "+" and type(left) is str and type(right) is str:
        return joined(budget, (left, right))
    if symbol == "+" and type(left) is list and type(right) is list:
        if len(left) + len(right) > budget.max_items:
            raise OperationError(f"the list would be longer than {budget.max_items} items")
        budget.spend(len(left) + len(right))
        return left + right
    raise OperationError(f"cannot use {symbol} with {kind(left)} and {kind(right)}")


def negative(value: Any) -> Any:
    if type(value) not in _NUMBERS:
        raise OperationError(f"cannot negate {kind(value)}")
    return -value


def joined(budget: Budget, texts: tuple[str, ...] | list[str]) -> str:
    """The texts as one, if it stays within the budget's longest text."""
    length = sum(map(len, texts))
    check_length(budget, length)
    budget.spend_text(length)
    return "".join(texts)


def check_length(budget: Budget, length: int) -> None:
    if length > budget.max_text:
        raise OperationError(f"the text would be longer than {budget.max_text} characters")


def compared(budget: Budget, symbol: str, left: Any, right: Any) -> bool:
    """``left symbol right`` for one of == != < <= > >= in, not in, is, is not."""
    if type(left) not in _SCALARS or type(right) not in _SCALARS:
        _charge_comparison(budget, symbol, left, right)
    try:
        return BARE_COMPARISONS[symbol](left, right)
    except TypeError:
        if symbol in ("in", "not in"):
            raise OperationError(f"cannot look for {kind(left)} in {kind(right)}") from None
        raise OperationError(f"cannot compare {kind(left)} with {kind(right)} ({symbol})") from None


def _charge_comparison(budget: Budget, symbol: str, left: Any, right: Any) -> None:
    if type(right) is str:
        if type(left) is str:
            budget.spend_text(len(right) if symbol in ("in", "not in") else min(len(left), len(right)))
    elif symbol in ("in", "not in"):
        if type(right) is not dict:
            budget.weigh(right)
    elif type(left) is type(right):
        budget.weigh(left)
        budget.weigh(right)


def sliced(budget: Budget, value: Any, part: slice) -> Any:
    """Part of a text or list."""
    if type(value) not in (str, list, tuple):
        raise OperationError(f"cannot take a part of {kind(value)}")
    for bound in (part.start, part.stop, part.step):
        if bound is not None and type(bound) is not int:
            raise OperationError(f"a part is given by whole numbers, not {kind(bound)}")
    if part.step == 0:
        raise OperationError("the step of a part cannot be 0")
    budget.spend(1 + len(range(*part.indices(len(value)))))
    return value[part]


def replaced(budget: Budget, text: str, old: Any, new: Any) -> str:
    """The text with every ``old`` replaced, if that does not make it too long."""
    old, new = argument(old), argument(new)
    budget.spend_text(len(text))
    length = len(text) + text.count(old) * max(0, len(new) - len(old))
    if length > len(text):
        check_length(budget, length)
        budget.spend_text(length)
    return text.replace(old, new)


def argument(value: Any) -> str:
    """A text short enough to be searched for."""
    if type(value) is not str:
        raise OperationError(f"text is needed here, not {kind(value)}")
    if len(value) > _MAX_ARGUMENT:
        raise OperationError(f"a text to search for may have {_MAX_ARGUMENT} characters, this has {len(value)}")
    return value


def whole_number(value: Any) -> int:
    """``int(value)`` for numbers and short texts."""
    try:
        if type(value) is str and len(value) <= 40:
            return int(bounded(int(value)))
        if type(value) in _NUMBERS:
            return int(bounded(int(value)))
    except (ValueError, OverflowError):
        pass
    raise OperationError(f"this {'text' if type(value) is str else 'value'} is not a whole number")


def decimal_number(value: Any) -> float:
    """``float(value)`` for numbers and short texts."""
    try:
        if type(value) in _NUMBERS or (type(value) is str and len(value) <= 400):
            return float(bounded(float(value)))
    except (ValueError, OverflowError):
        pass
    raise OperationError(f"this {'text' if type(value) is str else 'value'} is not a number")


def rounded(value: Any, digits: Any = None) -> Any:
    if type(value) not in _NUMBERS:
        raise OperationError(f"cannot round {kind(value)}")
    # Rounding to minus a billion digits would build ten to that power first.
    if digits is not None and (type(digits) is not int or abs(digits) > 30):
        raise OperationError("round() takes a whole number of digits between -30 and 30")
    return bounded(round(value, digits))


def absolute(value: Any) -> Any:
    if type(value) not in _NUMBERS:
        raise OperationError(f"cannot take the absolute value of {kind(value)}")
    return abs(value)


def count_of(value: Any) -> int:
    if type(value) not in (str, list, tuple, dict, set):
        raise OperationError(f"{kind(value)} has no length")
    return len(value)


def items_of(budget: Budget, value: Any) -> list[Any]:
    """The items of a list, or the keys of a mapping, charged for."""
    if type(value) not in (list, tuple, dict, set):
        raise OperationError(f"a list is needed here, not {kind(value)}")
    budget.spend(len(value) + 1)
    return value if type(value) is list else list(value)


def total(budget: Budget, value: Any) -> Any:
    result: Any = 0
    for item in items_of(budget, value):
        if type(item) not in _NUMBERS:
            raise OperationError(f"cannot add up {kind(item)}")
        result = bounded(result + item)
    return result


def ordered(budget: Budget, value: Any, *, reverse: bool = False) -> list[Any]:
    """The items sorted."""
    items = items_of(budget, value)
    for _ in range(len(items).bit_length()):  # a sort compares every item about log n times
        budget.weigh(items)
    try:
        return sorted(items, reverse=reverse)
    except TypeError:
        raise OperationError("cannot sort items of different kinds") from None


def extreme(budget: Budget, choose: Callable[[Any], Any], value: Any) -> Any:
    """The least or greatest item, ``choose`` being min or max."""
    items = items_of(budget, value)
    budget.weigh(items)
    if not items:
        raise OperationError("an empty list has no least or greatest item")
    try:
        return choose(items)
    except TypeError:
        raise OperationError("cannot compare items of different kinds") from None


_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
        "//": operator.floordiv,
        "%": operator.mod,
    }
)
# Nothing is charged, and no kind looked at: for those who have done so.
BARE_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "in": lambda left, right: left in right,
        "not in": lambda left, right: left not in right,
        "is": operator.is_,
        "is not": operator.is_not,
    }
)
