"""The second gate of the template language: Jinja in a sandbox where every operation is counted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes, pass_context
from jinja2 import Template as JinjaTemplate
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from aie.operations import Budget, OperationError, binary, compared, items_of, kind, negative
from aie.plain import Json, check_json, path_text
from aie.references import Path, References, listed_keys, nearest
from aie.template_check import COMPARE, CONCAT, GET, LOOP_WORDS, PART, PRESENT, ROUNDS, TemplateCheck, is_plain_path
from aie.template_filters import FILTERS, TESTS, concatenated, get_item, part_of, text_of

MAX_SOURCE = 65_536
MAX_TEXT = 262_144
MAX_ROUNDS = 10_000
MAX_TAGS = 500

# Not a word that a template can write.
_RENDERING = "aie.rendering"
_LONE = "value"


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
        super().__init__(max_text=MAX_TEXT, max_items=MAX_ROUNDS)
        self.length = 0
        self.rounds = 0

    def loop(self, rounds: int) -> None:
        self.rounds += rounds
        if self.rounds > MAX_ROUNDS:
            raise OperationError(f"the loops of this template take more than {MAX_ROUNDS} rounds")

    def collected(self, pieces: Iterable[str]) -> str:
        """The pieces as one text, stopping as soon as they are too long."""
        kept: list[str] = []
        for piece in pieces:
            self.length += len(piece)
            if self.length > MAX_TEXT:
                raise OperationError(f"the texts would be longer than {MAX_TEXT} characters")
            kept.append(piece)
        return "".join(kept)


@dataclass(frozen=True)
class Text:
    """One checked string with placeholders, compiled when it is first rendered."""

    source: str
    references: References
    is_lone: bool
    is_lone_path: bool
    _tree: nodes.Template = field(repr=False, compare=False)
    _environment: _Environment = field(repr=False, compare=False)

    def render(self, scope: Mapping[str, Json], rendering: Rendering) -> Json:
        """New data. Whatever the compiled template raises comes through."""
        parent: dict[str, Any] = {**scope, _RENDERING: rendering}
        template = self._compiled
        context = template.new_context(parent, shared=True)
        if not self.is_lone:
            return rendering.collected(template.root_render_func(context))
        for _ in template.root_render_func(context):
            pass
        value = context.vars[_LONE]
        if isinstance(value, Undefined):
            _fail_if_missing(value)
        rendering.weigh(value)
        return check_json(value)

    @cached_property
    def _compiled(self) -> JinjaTemplate:
        tree = self._tree
        if self.is_lone:
            output = tree.body[0]
            assert isinstance(output, nodes.Output)
            body: list[nodes.Node] = [nodes.Assign(nodes.Name(_LONE, "store"), output.nodes[0])]
            tree = nodes.Template(body)
            tree.set_lineno(1).set_environment(self._environment)
        return self._environment.from_string(tree)


class TextCompiler:
    """Checks texts, and keeps the latest thousand so that equal texts share one compiled template."""

    def __init__(self, names: frozenset[str], *, kept: int = 1_000) -> None:
        self._names = names
        self._environment = _Environment()
        self._kept = kept
        self._cache: OrderedDict[str, Text] = OrderedDict()

    def text(self, source: str) -> Text:
        """Raises OperationError for what is not part of the language."""
        text = self._cache.get(source)
        if text is None:
            text = self._cache[source] = self._checked(source)
            if len(self._cache) > self._kept:
                self._cache.popitem(last=False)
        return text

    def _checked(self, source: str) -> Text:
        if len(source) > MAX_SOURCE:
            raise OperationError(f"a template may have {MAX_SOURCE} characters, this has {len(source)}")
        if source.count("{{") + source.count("{%") > MAX_TAGS:
            raise OperationError(f"the template has more than {MAX_TAGS} placeholders and tags")
        if "\0" in source:
            raise OperationError("a NUL character does not belong in a template")
        check = TemplateCheck(self._names)
        try:
            tree = self._environment.parse(source)
            lone = _lone_expression(source, tree)
            is_path = lone is not None and is_plain_path(lone)
            check.check(tree)
        except TemplateSyntaxError as error:
            raise OperationError(f"{error.message} (line {error.lineno})", _syntax_hint(source)) from None
        except (RecursionError, MemoryError):
            raise OperationError("the template is nested too deeply") from None
        except ValueError:  # the digit limit of int()
            raise OperationError("an integer beyond 64 bits") from None
        return Text(source, check.references, lone is not None, is_path, tree, self._environment)


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


class _Environment(ImmutableSandboxedEnvironment):
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
        _fail_if_missing(left, right)
        return binary(_rendering(context), operator, left, right)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        _fail_if_missing(arg)
        return negative(arg) if operator == "-" else -negative(arg)


def _rendering(context: Context) -> Rendering:
    rendering = context.parent[_RENDERING]
    assert isinstance(rendering, Rendering)
    return rendering


def _fail_if_missing(*values: Any) -> None:
    for value in values:
        if isinstance(value, Undefined):
            value._fail_with_undefined_error()


@pass_context
def _finalize(context: Context, value: Any) -> str:
    _fail_if_missing(value)
    return text_of(_rendering(context), value)


def _counted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that gets the budget first, and no value that is missing."""

    @pass_context
    def call(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        _fail_if_missing(value, *args, *kwargs.values())
        budget = _rendering(context)
        budget.spend(1)
        return function(budget, value, *args, **kwargs)

    return call


def _asked(function: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def test(value: Any) -> bool:
        _fail_if_missing(value)
        return function(value)

    return test


@pass_context
def _compare(context: Context, left: Any, *others: Any) -> bool:
    """``left == right < …``, given as operator and operand in turn."""
    _fail_if_missing(left, *others)
    budget = _rendering(context)
    for symbol, right in zip(others[::2], others[1::2], strict=True):
        if not compared(budget, symbol, left, right):
            return False
        left = right
    return True


@pass_context
def _rounds(context: Context, value: Any) -> list[Any]:
    """What a loop goes over, its rounds counted before it starts."""
    _fail_if_missing(value)
    rendering = _rendering(context)
    items = items_of(rendering, value)
    rendering.loop(len(items))
    return items


@pass_context
def _get(context: Context, value: Any, key: Any, default: Any = None) -> Any:
    _fail_if_missing(key)
    return value if isinstance(value, Undefined) else get_item(_rendering(context), value, key, default)


def _default(value: Any, default_value: Any = "", boolean: Any = False) -> Any:
    return default_value if isinstance(value, Undefined) or (boolean and not value) else value


def _is_defined(value: Any) -> bool:
    return not isinstance(value, Undefined)


def _is_undefined(value: Any) -> bool:
    return isinstance(value, Undefined)


def _lone_expression(source: str, tree: nodes.Template) -> nodes.Expr | None:
    if not (source.startswith("{{") and source.endswith("}}")) or len(tree.body) != 1:
        return None
    output = tree.body[0]
    if not isinstance(output, nodes.Output) or len(output.nodes) != 1:
        return None
    return None if isinstance(output.nodes[0], nodes.TemplateData) else output.nodes[0]


def _syntax_hint(source: str) -> str:
    if source.count("{{") != source.count("}}"):
        return "every {{ needs its }}"
    if source.count("{%") != source.count("%}"):
        return "every {% needs its %}"
    return ""


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
