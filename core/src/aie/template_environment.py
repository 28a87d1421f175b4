"""The second gate of the template language: Jinja in a sandbox where every operation is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from jinja2 import StrictUndefined, pass_context
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from aie.operations import OperationError, binary, compared, items_of, negative
from aie.template_check import COMPARE, CONCAT, GET, LOOP_WORDS, PART, PRESENT, ROUNDS
from aie.template_filters import FILTERS, TESTS, concatenated, get_item, part_of, text_of
from aie.template_rendering import NOWHERE, MissingValueError, Rendering

# Not a word that a template can write.
RENDERING = "aie.rendering"


class _Missing(StrictUndefined):
    """A value that is not there: may be asked about and given a default, and fails at any other use."""

    __slots__ = ()

    def _fail_with_undefined_error(self, *args: Any, **kwargs: Any) -> NoReturn:
        holder = NOWHERE if self._undefined_obj is missing else self._undefined_obj
        raise MissingValueError(holder, self._undefined_name)

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
