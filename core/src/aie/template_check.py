"""The first gate of the template language: what may be written, checked when the file is loaded.

Jinja parses; this walk refuses every node that is not listed. It also rewrites the nodes whose cost Jinja leaves to
Python (comparisons, joins, parts, loops) and ``.get`` into calls of counted filters, so that compiled templates
hold no call of a value and no operator that is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from jinja2 import nodes

from aie.operations import OperationError
from aie.plain import MAX_INTEGER, shown
from aie.references import Path, References, nearest
from aie.template_filters import FILTERS, TESTS

MAX_NODES = 500
MAX_DEPTH = 40
MAX_LOOPS_NESTED = 2

# Filters that only this rewriting can name: an author's filter is a word.
COMPARE, CONCAT, GET, PART = "aie.compare", "aie.concat", "aie.get", "aie.part"
PRESENT, ROUNDS = "aie.present", "aie.rounds"
LOOP_WORDS = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})

_DEFAULTS = frozenset({"default", "d"})
_DEFAULT_ARGUMENTS = ("default_value", "boolean")
_COMPARE_TESTS: Mapping[str, str] = MappingProxyType(
    {"eq": "==", "equalto": "==", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "in": "in"}
)
_OPERATORS: Mapping[str, str] = MappingProxyType(
    {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in"}
)
_HINTS: Mapping[type[nodes.Node], str] = MappingProxyType(
    {
        nodes.Call: "only .get('key', default) can be called; for the rest there are filters: {{ value | upper }}",
        nodes.Pow: "multiply instead",
        nodes.Assign: "write the expression where it is needed",
        nodes.AssignBlock: "write the expression where it is needed",
        nodes.Include: "a template stands alone",
        nodes.Import: "a template stands alone",
        nodes.FromImport: "a template stands alone",
        nodes.Extends: "a template stands alone",
    }
)
_BRANCHES = {nodes.Output, nodes.If, nodes.And, nodes.Or, nodes.Not, nodes.Dict}
_NUMERIC = {nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos}
_PARTS = frozenset(_BRANCHES | _NUMERIC)


class TemplateCheck:
    """One walk over a parsed text: refuses, rewrites in place and collects the paths that are read."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self.count = 0
        self.paths: set[Path] = set()
        self.required_paths: set[Path] = set()

    @property
    def references(self) -> References:
        return References.to(self.paths, self.required_paths)

    def check(self, tree: nodes.Template) -> None:
        tree.body = [self._visit(node, 1, {}, required=True) for node in tree.body]

    def _visit(self, node: Any, depth: int, loops: Mapping[str, int], *, required: bool) -> Any:
        """The node to use instead of this one; ``required`` is false where a missing value has a substitute."""
        self.count += 1
        if self.count > MAX_NODES:
            self._refuse(f"the template has more than {MAX_NODES} parts", node)
        if depth > MAX_DEPTH:
            self._refuse(f"the template is nested more than {MAX_DEPTH} levels deep", node)
        path = self.path_of(node, loops)
        if path is not None:
            self.paths.add(path[0])
            if path[1] and required:
                self.required_paths.add(path[0])
        return self._rewritten(node, depth, loops, required=required, known=path is not None)

    def _rewritten(self, node: Any, depth: int, loops: Mapping[str, int], *, required: bool, known: bool) -> Any:
        def inner(child: Any) -> Any:
            return self._visit(child, depth + 1, loops, required=True)

        def link(child: Any) -> Any:
            """The base of a dot, index or .get: part of the same path, when there is one."""
            if known:
                self.count += 1
                return self._rewritten(child, depth + 1, loops, required=required, known=True)
            return self._visit(child, depth + 1, loops, required=required)

        if depth > MAX_DEPTH:
            self._refuse(f"the template is nested more than {MAX_DEPTH} levels deep", node)
        result = node
        match node:
            case nodes.TemplateData():
                pass
            case nodes.Const():
                self._constant(node)
            case nodes.Name():
                self._name(node, loops)
            case nodes.Getattr():
                self._getattr(node, loops, link)
            case nodes.Getitem():
                result = self._getitem(node, link, inner)
            case nodes.Call():
                result = self._call(node, link, inner)
            case nodes.Filter():
                self._filter(node, depth, loops)
            case nodes.Test():
                result = self._test(node, depth, loops)
            case nodes.For():
                self._for(node, depth, loops)
            case _:
                result = self._operation(node, inner)
        return result

    def _operation(self, node: Any, inner: Callable[[Any], Any]) -> Any:
        match node:
            case nodes.Compare():
                operands = [part for each in node.ops for part in (_const(_OPERATORS[each.op]), inner(each.expr))]
                return _call_filter(COMPARE, inner(node.expr), operands, node)
            case nodes.Concat():
                first, *others = [inner(each) for each in node.nodes]
                return _call_filter(CONCAT, first, others, node)
            # A missing value must not hide inside a list or mapping.
            case nodes.List() | nodes.Tuple():
                node.items = [_call_filter(PRESENT, inner(each), [], node) for each in node.items]
                return node
            case nodes.Pair():
                node.key, node.value = (_call_filter(PRESENT, inner(each), [], node) for each in (node.key, node.value))
                return node
            case nodes.CondExpr():
                node.expr2 = node.expr2 or _const(None)
            case _ if type(node) not in _PARTS:
                self._refuse(f"{_spoken(node)} is not allowed in a template", node, _HINTS.get(type(node), ""))
        _replace_children(node, inner)
        return node

    def _constant(self, node: nodes.Const) -> None:
        value = node.value
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            self._refuse("an integer beyond 64 bits", node)
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse("a number too large to hold", node)

    def _name(self, node: nodes.Name, loops: Mapping[str, int]) -> None:
        if node.name in self.names or node.name in loops:
            return
        if node.name == "loop" and loops:
            self._refuse(
                "'loop' alone is not data", node, f"one of: {', '.join(sorted('loop.' + w for w in LOOP_WORDS))}"
            )
        known = sorted(self.names | set(loops))
        listed = f"these names are known: {', '.join(known)}; data of the event is event.data.{node.name[:40]}"
        self._refuse(f"unknown name {node.name[:60]!r}", node, nearest(node.name, known) or listed)

    def _getattr(self, node: nodes.Getattr, loops: Mapping[str, int], link: Callable[[Any], Any]) -> None:
        if node.attr.startswith("_"):
            self._refuse(f"{node.attr[:60]!r} starts with an underscore, which is not allowed", node)
        base = node.node
        if isinstance(base, nodes.Name) and base.name == "loop" and loops and "loop" not in loops:
            if node.attr not in LOOP_WORDS:
                self._refuse(f"a loop has no {node.attr[:60]!r}", node, nearest(node.attr, LOOP_WORDS))
            return
        node.node = link(base)

    def _getitem(self, node: nodes.Getitem, link: Callable[[Any], Any], inner: Callable[[Any], Any]) -> nodes.Expr:
        node.node = link(node.node)
        if isinstance(node.arg, nodes.Slice):
            bounds = (node.arg.start, node.arg.stop, node.arg.step)
            return _call_filter(PART, node.node, [inner(each) if each else _const(None) for each in bounds], node)
        node.arg = inner(node.arg)
        return node

    def _call(self, node: nodes.Call, link: Callable[[Any], Any], inner: Callable[[Any], Any]) -> nodes.Expr:
        function = node.node
        if not isinstance(function, nodes.Getattr) or function.attr != "get":
            name = getattr(function, "attr", getattr(function, "name", "this"))
            hint = _HINTS[nodes.Call]
            if name in FILTERS:
                hint = f"write it as a filter: {{{{ value | {name} }}}}"
            self._refuse(f"{str(name)[:60]!r} cannot be called in a template", node, hint)
        if node.kwargs or node.dyn_args or node.dyn_kwargs or not 1 <= len(node.args) <= 2:
            self._refuse(".get() takes a key and a default", node)
        return _call_filter(GET, link(function.node), [inner(each) for each in node.args], node)

    def _filter(self, node: nodes.Filter, depth: int, loops: Mapping[str, int]) -> None:
        if node.node is None:
            self._refuse("a filter block is not allowed in a template", node)
        is_default = node.name in _DEFAULTS
        if not is_default and node.name not in FILTERS:
            hint = nearest(node.name, FILTERS) or f"these filters are known: {', '.join(['default', *FILTERS])}"
            self._refuse(f"unknown filter {node.name[:60]!r}", node, hint)
        self._arguments(node, _DEFAULT_ARGUMENTS if is_default else FILTERS[node.name][1])
        node.node = self._visit(node.node, depth + 1, loops, required=not is_default)
        node.args = [self._visit(each, depth + 1, loops, required=True) for each in node.args]
        for keyword in node.kwargs:
            keyword.value = self._visit(keyword.value, depth + 1, loops, required=True)

    def _arguments(self, node: nodes.Filter, known: tuple[str, ...]) -> None:
        if node.dyn_args or node.dyn_kwargs:
            self._refuse("* and ** are not allowed in a template", node)
        if len(node.args) > len(known):
            self._refuse(f"the filter {node.name!r} takes {len(known)} arguments, not {len(node.args)}", node)
        given = set(known[: len(node.args)])
        keywords: list[Any] = node.kwargs
        for keyword in keywords:
            if keyword.key not in known or keyword.key in given:
                hint = f"it takes: {', '.join(known)}" if known else "it takes no arguments"
                self._refuse(f"the filter {node.name!r} has no argument {keyword.key[:60]!r} left", node, hint)
            given.add(keyword.key)
        if node.name == "replace" and len(given) < len(known):
            self._refuse("the filter 'replace' takes 2 arguments", node)

    def _test(self, node: nodes.Test, depth: int, loops: Mapping[str, int]) -> nodes.Expr:
        if node.kwargs or node.dyn_args or node.dyn_kwargs:
            self._refuse("a test takes no named arguments", node)
        optional = node.name in ("defined", "undefined")
        node.node = self._visit(node.node, depth + 1, loops, required=not optional)
        node.args = [self._visit(each, depth + 1, loops, required=True) for each in node.args or []]
        if node.name in _COMPARE_TESTS and len(node.args) == 1:
            return _call_filter(COMPARE, node.node, [_const(_COMPARE_TESTS[node.name]), *node.args], node)
        if node.args or not (node.name in TESTS or optional):
            known = ["defined", "undefined", *TESTS, *_COMPARE_TESTS]
            hint = nearest(node.name, known) or f"these tests are known: {', '.join(known)}"
            self._refuse(f"unknown test {node.name[:60]!r}", node, hint)
        return node

    def _for(self, node: nodes.For, depth: int, loops: Mapping[str, int]) -> None:
        nesting = max(loops.values(), default=0) + 1
        if node.recursive or nesting > MAX_LOOPS_NESTED:
            self._refuse(f"loops may be nested {MAX_LOOPS_NESTED} deep and not call themselves", node)
        targets: list[Any] = node.target.items if isinstance(node.target, nodes.Tuple) else [node.target]
        inside = dict(loops)
        for target in targets:
            name = target.name if isinstance(target, nodes.Name) else ""
            if not name or name.startswith("_") or name in self.names or name in ("loop", "self", "caller", "varargs"):
                self._refuse("a loop variable is one new name", node)
            inside[name] = nesting
        node.iter = _call_filter(ROUNDS, self._visit(node.iter, depth + 1, loops, required=True), [], node)
        if node.test is not None:
            node.test = self._visit(node.test, depth + 1, inside, required=True)
        node.body = [self._visit(each, depth + 1, inside, required=True) for each in node.body]
        node.else_ = [self._visit(each, depth + 1, loops, required=True) for each in node.else_]

    def path_of(self, node: Any, loops: Mapping[str, int]) -> tuple[Path, bool] | None:
        """The static path that a chain of dots, indexes and .get calls reads, and whether it must be there."""
        base: tuple[Path, bool] | None
        match node:
            case nodes.Name(name=name):
                return ((name,), True) if name in self.names and name not in loops else None
            case nodes.Getattr(node=value, attr=str(key)) | nodes.Getitem(node=value, arg=nodes.Const(value=str(key))):
                base = self.path_of(value, loops)
                return base and ((*base[0], key), base[1])
            case nodes.Call(node=nodes.Getattr(node=value, attr="get"), args=[nodes.Const(value=str(key)), *_]):
                base = self.path_of(value, loops)
                return base and ((*base[0], key), False)
            case _:
                return None

    def _refuse(self, message: str, node: Any, hint: str = "") -> NoReturn:
        line = getattr(node, "lineno", None) or 1
        raise OperationError(f"{message} (line {line})" if line > 1 else message, hint)


def is_plain_path(node: nodes.Expr) -> bool:
    """Whether an expression is only dots and indexes from a name: what an optional parameter may leave out."""
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
            return False
        node = node.node
    return isinstance(node, nodes.Name)


def _replace_children(node: nodes.Node, replace: Callable[[Any], Any]) -> None:
    for field, value in node.iter_fields():
        if isinstance(value, list):
            setattr(node, field, [replace(each) if isinstance(each, nodes.Node) else each for each in value])
        elif isinstance(value, nodes.Node):
            setattr(node, field, replace(value))


def _const(value: object) -> nodes.Const:
    return nodes.Const(value, lineno=1)


def _call_filter(name: str, value: nodes.Expr, arguments: list[Any], at: nodes.Node) -> nodes.Filter:
    return nodes.Filter(value, name, arguments, [], None, None, lineno=at.lineno, environment=at.environment)


def _spoken(node: nodes.Node) -> str:
    return shown(type(node).__name__.lower())
