"""The texts that Jinja reads and fills in: those that are more than literals and plain placeholders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Template, TemplateSyntaxError, nodes

from aie.operations import OperationError
from aie.plain import Json
from aie.references import References
from aie.template_check import TemplateCheck, is_plain_path
from aie.template_environment import RENDERING, Environment, fail_if_missing
from aie.template_rendering import Rendering

_LONE = "value"


class Jinja:
    """Jinja with the checks and the counting of this language."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._environment = Environment()

    def read(self, source: str) -> tuple[bool, bool, References]:
        """Whether a text is one lone placeholder, whether that is a plain path, and what the text refers to.

        Raises OperationError for what is not part of the language.
        """
        tree, references = self._parsed(source)
        lone = _lone_expression(source, tree)
        return lone is not None, lone is not None and is_plain_path(lone), references

    def compiled(self, source: str, is_lone: bool) -> Template:
        """What Jinja makes of a text; for a lone placeholder one that leaves its value in the context."""
        tree, _ = self._parsed(source)
        if is_lone:
            output = tree.body[0]
            assert isinstance(output, nodes.Output)
            body: list[nodes.Node] = [nodes.Assign(nodes.Name(_LONE, "store"), output.nodes[0])]
            tree = nodes.Template(body)
            tree.set_lineno(1).set_environment(self._environment)
        return self._environment.from_string(tree)

    def rendered(self, template: Template, is_lone: bool, scope: Mapping[str, Json], rendering: Rendering) -> Json:
        """What a compiled text comes to. Whatever goes wrong comes through."""
        parent: dict[str, Any] = {**scope, RENDERING: rendering}
        context = template.new_context(parent, shared=True)
        if not is_lone:
            return "".join([rendering.taken(piece) for piece in template.root_render_func(context)])
        for _ in template.root_render_func(context):
            pass
        value = context.vars[_LONE]
        fail_if_missing(value)
        return rendering.copied(value)

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
