"""The second gate of the template language: Jinja in a sandbox where every operation is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from jinja2 import StrictUndefined, pass_context
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from aie.operations import Budget, OperationError, binary, compared, items_of, kind, negative
from aie.plain import MAX_INTEGER, Json, check_json, path_text
from aie.references import Path, listed_keys, nearest
from aie.template_check import COMPARE, CONCAT, GET, LOOP_WORDS, PART, PRESENT, ROUNDS
from aie.template_filters import FILTERS, TESTS, concatenated, get_item, part_of, text_of

MAX_TEXT = 262_144
MAX_ROUNDS = 10_000

# Not a word that a template can write.
RENDERING = "aie.rendering"
_SHORT = 10_000


class MissingValueError(OperationError):
    """A value that is not there was needed; ``holder`` is the data that was asked for it."""

    def __init__(self, holder: object, key: object) -> None:
        super().__init__(f"there is no {key!r}")
        self.holder = holder
        self.key = key

    def described(self, scope: Mapping[str, Json], paths: Iterable[Path]) -> tuple[str, str]:
        """A message that names where the value was looked for and what is there, and a hint."""
        base = _place_of(self.holder, scope) or self._static_base(scope, paths)
        if isinstance(self.holder, dict):
            hint = nearest(self.key, self.holder) if isinstance(self.key, str) else ""
            return f"{base or 'the mapping'} has no {self.key!r}; it has: {listed_keys(self.holder)}", hint
        if isinstance(self.holder, list):
            return f"{base or 'the list'} has no item {self.key!r}; it has {len(self.holder)} items", ""
        if self.holder is missing:
            return f"there is no {self.key!r} here; there is: {listed_keys(scope)}", ""
        return f"{base or 'the value'} is {kind(self.holder)}, so it has no {self.key!r}", ""

    def _static_base(self, scope: Mapping[str, Json], paths: Iterable[Path]) -> str:
        """For a holder that is no container: the written path that leads to it."""
        for path in sorted(paths):
            value: Any = scope
            for depth, key in enumerate(path):
                if not isinstance(value, Mapping):
                    if value is self.holder and key == self.key:
                        return path_text(list(path[:depth]))
                    break
                if key not in value:
                    break
                value = value[key]
        return ""


class Rendering(Budget):
    """The counters of one template being rendered, shared by all its texts."""

    __slots__ = ("length", "rounds")

    def __init__(self) -> None:
        # Not super().__init__(): one of these is made for every rendering.
        self.max_text = MAX_TEXT
        self.max_items = MAX_ROUNDS
        self.work = 0
        self.length = 0
        self.rounds = 0

    def loop(self, rounds: int) -> None:
        self.rounds += rounds
        if self.rounds > MAX_ROUNDS:
            raise OperationError(f"the loops of this template take more than {MAX_ROUNDS} rounds")

    def taken(self, piece: str) -> str:
        """A piece of text that becomes part of the result, if that does not get too long."""
        self.length += len(piece)
        if self.length > MAX_TEXT:
            raise OperationError(f"the texts would be longer than {MAX_TEXT} characters")
        return piece

    def copied(self, value: Any) -> Json:
        """A private copy of a value that becomes part of the result, charged for; EventError if it is not JSON."""
        kind = type(value)
        if kind is str and len(value) <= _SHORT and value.isascii():
            self.spend_text(len(value))
            return str(value)
        if kind is bool or value is None or (kind is int and abs(value) <= MAX_INTEGER):
            self.spend(1)
            return value  # type: ignore[no-any-return]
        self.weigh(value)
        return check_json(value)


class _Missing(StrictUndefined):
    """A value that is not there: may be asked about and given a default, and fails at any other use."""

    __slots__ = ()

    def _fail_with_undefined_error(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise MissingValueError(self._undefined_obj, self._undefined_name)

    __iter__ = __str__ = __len__ = _fail_with_undefined_error
    __eq__ = __ne__ = __bool__ = __hash__ = __contains__ = _fail_with_undefined_error
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _fail_with_undefined_error
    __getitem__ = __call__ = __lt__ = __le__ = __gt__ = __ge__ = _fail_with_undefined_error
    __neg__ = __pos__ = __int__ = __float__ = __index__ = _fail_with_undefined_error


class Environment(ImmutableSandboxedEnvironment):
    """Dots and indexes are item lookups; there are no globals, and only counted filters, tests and operators."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    intercepted_unops = frozenset({"+", "-"})

    def __init__(self) -> None:
        # Jinja would compute constant parts while it compiles; a finalize that needs the context and optimized=False
        # leave everything to the counted rendering.
        super().__init__(
            undefined=_Missing, autoescape=False, keep_trailing_newline=True, optimized=False, finalize=_finalize
        )
        self.globals.clear()
        self.filters = {name: _counted(function) for name, (function, _) in FILTERS.items()}
        self.filters |= {CONCAT: _counted(concatenated), PART: _counted(part_of)}
        self.filters |= {PRESENT: _counted(lambda budget, value: value)}
        self.filters |= {COMPARE: _compare, ROUNDS: _rounds, GET: _get, "default": _default, "d": _default}
        self.tests = {name: _asked(function) for name, function in TESTS.items()}
        self.tests |= {"defined": _is_defined, "undefined": _is_undefined}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is LoopContext and attribute in LOOP_WORDS:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if type(obj) is dict:
            if type(argument) is str and argument in obj:
                return obj[argument]
        elif type(obj) in (list, tuple, str):
            if type(argument) is int and -len(obj) <= argument < len(obj):
                return obj[argument]
        elif isinstance(obj, Undefined):
            return obj  # the first value that was missing is the one to report
        return self.undefined(obj=obj, name=argument)

    def call(self, context: Context, function: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise OperationError("nothing can be called in a template")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        fail_if_missing(left, right)
        return binary(_rendering(context), operator, left, right)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        fail_if_missing(arg)
        return negative(arg) if operator == "-" else -negative(arg)


def _rendering(context: Context) -> Rendering:
    rendering = context.parent[RENDERING]
    assert isinstance(rendering, Rendering)
    return rendering


def fail_if_missing(*values: Any) -> None:
    for value in values:
        if isinstance(value, Undefined):
            value._fail_with_undefined_error()


@pass_context
def _finalize(context: Context, value: Any) -> str:
    fail_if_missing(value)
    return text_of(_rendering(context), value)


def _counted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that gets the budget first, and no value that is missing."""

    @pass_context
    def call(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        fail_if_missing(value, *args, *kwargs.values())
        budget = _rendering(context)
        budget.spend(1)
        return function(budget, value, *args, **kwargs)

    return call


def _asked(function: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def test(value: Any) -> bool:
        fail_if_missing(value)
        return function(value)

    return test


@pass_context
def _compare(context: Context, left: Any, *others: Any) -> bool:
    """``left == right < …``, given as operator and operand in turn."""
    fail_if_missing(left, *others)
    budget = _rendering(context)
    for symbol, right in zip(others[::2], others[1::2], strict=True):
        if not compared(budget, symbol, left, right):
            return False
        left = right
    return True


@pass_context
def _rounds(context: Context, value: Any) -> list[Any]:
    """What a loop goes over, its rounds counted before it starts."""
    fail_if_missing(value)
    rendering = _rendering(context)
    items = items_of(rendering, value)
    rendering.loop(len(items))
    return items


@pass_context
def _get(context: Context, value: Any, key: Any, default: Any = None) -> Any:
    fail_if_missing(key)
    return value if isinstance(value, Undefined) else get_item(_rendering(context), value, key, default)


def _default(value: Any, default_value: Any = "", boolean: Any = False) -> Any:
    return default_value if isinstance(value, Undefined) or (boolean and not value) else value


def _is_defined(value: Any) -> bool:
    return not isinstance(value, Undefined)


def _is_undefined(value: Any) -> bool:
    return isinstance(value, Undefined)


def _place_of(holder: object, scope: Mapping[str, Json]) -> str:
    """The path at which a mapping or list stands in the scope."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), scope)]
    while stack and isinstance(holder, dict | list):
        path, value = stack.pop()
        if value is holder and path:
            return path_text(list(path))
        if isinstance(value, Mapping):
            stack.extend(((*path, key), each) for key, each in value.items() if isinstance(each, dict | list))
        elif isinstance(value, list):
            stack.extend(((*path, index), each) for index, each in enumerate(value) if isinstance(each, dict | list))
    return ""
