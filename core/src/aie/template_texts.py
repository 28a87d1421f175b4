"""Texts with placeholders: checked when they are loaded; filled in piece by piece if they are simple, else by Jinja."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, nodes

from aie.operations import OperationError
from aie.plain import Json
from aie.references import References
from aie.template_check import TemplateCheck, is_plain_path
from aie.template_environment import RENDERING, Environment, Rendering, fail_if_missing
from aie.template_pieces import Pieces

MAX_SOURCE = 65_536
MAX_TAGS = 500

_LONE = "value"


@dataclass(frozen=True)
class Text:
    """One checked string with placeholders. Jinja compiles it when it is first needed."""

    source: str
    is_lone: bool
    is_lone_path: bool
    pieces: Pieces | None = field(repr=False, compare=False)  # of a simple one
    _found: References | None = field(repr=False, compare=False)  # by Jinja, in any other
    _compiler: TextCompiler = field(repr=False, compare=False)

    @property
    def references(self) -> References:
        if self._found is not None:
            return self._found
        assert self.pieces is not None
        return self.pieces.references

    def render(self, scope: Mapping[str, Json], rendering: Rendering) -> Json:
        """New data. Whatever goes wrong comes through."""
        if self.pieces is not None:
            try:
                filled = self.pieces.value(scope) if self.is_lone else self.pieces.text(scope)
            except Exception:  # whatever it was: Jinja has the answer, or the error
                return self.render_by_jinja(scope, rendering)
            return rendering.copied(filled) if self.is_lone else rendering.taken(filled)
        return self.render_by_jinja(scope, rendering)

    def render_by_jinja(self, scope: Mapping[str, Json], rendering: Rendering) -> Json:
        """The same by Jinja alone: slower, and the one that says what an error is."""
        parent: dict[str, Any] = {**scope, RENDERING: rendering}
        template = self._compiled
        context = template.new_context(parent, shared=True)
        if not self.is_lone:
            return "".join([rendering.taken(piece) for piece in template.root_render_func(context)])
        for _ in template.root_render_func(context):
            pass
        value = context.vars[_LONE]
        fail_if_missing(value)
        return rendering.copied(value)

    @cached_property
    def _compiled(self) -> JinjaTemplate:
        return self._compiler.compiled(self)


class TextCompiler:
    """Checks texts, and keeps the latest thousand so that equal texts share one compiled template."""

    def __init__(self, names: frozenset[str], *, kept: int = 1_000) -> None:
        self._names = names
        self._environment = Environment()
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

    def read_by_jinja(self, source: str) -> Text:
        """What :meth:`text` gives, without a look whether it is simple."""
        tree, references = self._parsed(source)
        lone = _lone_expression(source, tree)
        is_path = lone is not None and is_plain_path(lone)
        return Text(source, lone is not None, is_path, None, references, self)

    def compiled(self, text: Text) -> JinjaTemplate:
        """What Jinja makes of it; for a lone placeholder one that leaves its value in the context."""
        tree, _ = self._parsed(text.source)
        if text.is_lone:
            output = tree.body[0]
            assert isinstance(output, nodes.Output)
            body: list[nodes.Node] = [nodes.Assign(nodes.Name(_LONE, "store"), output.nodes[0])]
            tree = nodes.Template(body)
            tree.set_lineno(1).set_environment(self._environment)
        return self._environment.from_string(tree)

    def _checked(self, source: str) -> Text:
        if len(source) > MAX_SOURCE:
            raise OperationError(f"a template may have {MAX_SOURCE} characters, this has {len(source)}")
        if source.count("{{") + source.count("{%") > MAX_TAGS:
            raise OperationError(f"the template has more than {MAX_TAGS} placeholders and tags")
        if "\0" in source:
            raise OperationError("a NUL character does not belong in a template")
        pieces = Pieces.of(source, self._names)
        if pieces is None:
            return self.read_by_jinja(source)
        return Text(source, pieces.is_lone, pieces.is_lone, pieces, None, self)

    def _parsed(self, source: str) -> tuple[nodes.Template, References]:
        """The tree, checked and made countable, and what it refers to."""
        check = TemplateCheck(self._names)
        try:
            tree = self._environment.parse(source)
            check.check(tree)
        except TemplateSyntaxError as error:
            raise OperationError(f"{error.message} (line {error.lineno})", _syntax_hint(source)) from None
        except (RecursionError, MemoryError):
            raise OperationError("the template is nested too deeply") from None
        except ValueError:  # the digit limit of int()
            raise OperationError("an integer beyond 64 bits") from None
        return tree, check.references


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
