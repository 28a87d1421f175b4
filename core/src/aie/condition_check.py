"""The first gate of the condition language: what may be written, checked when the file is loaded."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

from aie.condition_evaluator import COMPARISONS, FUNCTIONS, METHODS, OPERATORS
from aie.errors import ConditionError
from aie.plain import MAX_INTEGER, shown
from aie.references import Path, References, nearest

MAX_SOURCE = 2_000
MAX_NODES = 200
MAX_DEPTH = 30
MAX_LITERAL = 1_000
MAX_LOOPS_NESTED = 2

_METHOD_NAMES = frozenset(name for table in METHODS.values() for name in table)
# Python warns about other escapes instead of refusing them; the warning would go to nobody.
_ESCAPE = re.compile(r"\\(?:[\\'\"nrt]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})")
_LONE_EQUALS = re.compile(r"(?<![=!<>:])=(?!=)")
_WORDS_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {"true": "True", "false": "False", "null": "None", "nil": "None"}
)
_REFUSED_NODES: Mapping[type[ast.AST], str] = MappingProxyType(
    {
        ast.Lambda: "lambda",
        ast.JoinedStr: "f-strings",
        ast.NamedExpr: ":=",
        ast.Starred: "*",
        ast.Await: "await",
        ast.Yield: "yield",
        ast.YieldFrom: "yield",
        ast.SetComp: "{… for …}",
        ast.DictComp: "{… for …}",
        ast.Pow: "**",
        ast.LShift: "<<",
        ast.RShift: ">>",
        ast.BitAnd: "&",
        ast.BitOr: "|",
        ast.BitXor: "^",
        ast.MatMult: "@",
        ast.Invert: "~",
        ast.UAdd: "unary +",
    }
)
_REFUSED_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "&": "write 'and'",
        "|": "write 'or'",
        "~": "write 'not'",
        "f-strings": "join texts with +",
        ":=": "compare with ==",
    }
)


def checked(source: str, names: frozenset[str], where: str) -> tuple[ast.expr, References]:
    """The syntax tree of a condition, found to be part of the language, and what it refers to."""
    text = _checked_source(source, where)
    try:
        check = _Check(text, names, where)
        tree = tree_of(text)
        check.visit(tree, 1, {})
    except SyntaxError as error:
        raise _syntax_error(text, error, where) from None
    except (RecursionError, MemoryError):
        raise ConditionError("the condition is nested too deeply", where=where) from None
    except (ValueError, Warning) as error:
        raise ConditionError(f"not a condition: {error}", where=where) from None
    return tree, References.to(check.paths, check.required_paths)


def tree_of(source: str) -> ast.expr:
    """The syntax tree of a condition that was checked before."""
    return ast.parse(source.strip(), mode="eval").body


def _checked_source(source: object, where: str) -> str:
    if not isinstance(source, str):
        message = f"a condition is text, not {type(source).__name__}"
        raise ConditionError(message, where=where, hint="write the expression in quotes")
    text = source.strip()
    if not text:
        raise ConditionError("the condition is empty", where=where, hint="leave it out, or write null")
    if len(source) > MAX_SOURCE:
        raise ConditionError(f"longer than {MAX_SOURCE} characters ({len(source)})", where=where)
    for braces in ("{{", "{%"):
        if braces in text:
            hint = "a condition is not a template: write event.data.amount without braces"
            raise ConditionError(f"{braces!r} does not belong in a condition", where=where, hint=hint)
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise ConditionError("a character that is not text (NUL or half of a surrogate pair)", where=where)
    if "\\" in _ESCAPE.sub("", text):
        raise ConditionError("a backslash that starts no known escape", where=where, hint="write \\\\ for a backslash")
    return text


def _syntax_error(text: str, error: SyntaxError, where: str) -> ConditionError:
    hint = ""
    if _LONE_EQUALS.search(text):
        hint = "use == to compare"
    elif "&&" in text or "||" in text:
        hint = "write 'and' and 'or'"
    elif re.search(r"!(?!=)", text):
        hint = "write 'not'"
    reason = error.msg.split(". Maybe", maxsplit=1)[0]
    return ConditionError(f"not a condition: {reason} at column {error.offset or 1}", where=where, hint=hint)


class _Check:
    """One walk over a tree: refuses what is not listed and collects the paths that are read."""

    def __init__(self, text: str, names: frozenset[str], where: str) -> None:
        self.lines = text.splitlines() or [text]
        self.names = names
        self.where = where
        self.count = 0
        self.paths: set[Path] = set()
        self.required_paths: set[Path] = set()

    def visit(self, node: ast.expr, depth: int, loops: Mapping[str, int]) -> None:
        """Check one expression; ``loops`` holds the loop variables in sight and how deep their loop is nested."""
        self.count += 1
        if self.count > MAX_NODES:
            raise ConditionError(f"the condition has more than {MAX_NODES} parts", where=self.where)
        if depth > MAX_DEPTH:
            raise ConditionError(f"the condition is nested more than {MAX_DEPTH} levels deep", where=self.where)
        path = self._path(node, loops)
        if path is not None:
            self.paths.add(path[0])
            if path[1]:
                self.required_paths.add(path[0])
            # The chain was found whole here; what is left to check are its links and the defaults of its .get calls.
            self._chain(node, depth, loops)
            return
        self._checked(node, depth, loops)

    def _checked(self, node: ast.expr, depth: int, loops: Mapping[str, int]) -> None:
        match node:
            case ast.Constant():
                self._constant(node)
            case ast.Name():
                self._name(node, loops)
            case ast.Attribute():
                self._word(node.attr, node)
                self.visit(node.value, depth + 1, loops)
            case ast.Subscript():
                self.visit(node.value, depth + 1, loops)
                self._index(node.slice, depth + 1, loops)
            case ast.Call():
                self._call(node, depth, loops)
            case ast.Compare():
                self._compare(node, depth, loops)
            case ast.ListComp() | ast.GeneratorExp():
                self._comprehension(node, depth, loops)
            case ast.UnaryOp(op=op) | ast.BinOp(op=op) if type(op) not in OPERATORS:
                self._refuse_node(op, node)
            case (
                ast.BoolOp()
                | ast.UnaryOp()
                | ast.BinOp()
                | ast.IfExp()
                | ast.List()
                | ast.Tuple()
                | ast.Dict()
                | ast.Set()
            ):
                self._parts(node, depth, loops)
            case _:
                self._refuse_node(node, node)

    def _parts(self, node: ast.expr, depth: int, loops: Mapping[str, int]) -> None:
        if isinstance(node, ast.Dict) and None in node.keys:
            self._refuse("** is not allowed in a condition", node)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.visit(child, depth + 1, loops)

    def _constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, str):
            if len(value) > MAX_LITERAL:
                self._refuse(f"a text of more than {MAX_LITERAL} characters", node)
            if any("\ud800" <= character <= "\udfff" for character in value):
                self._refuse("half of a surrogate pair", node)
        elif isinstance(value, bool) or value is None:
            return
        elif isinstance(value, int):
            if value > MAX_INTEGER:
                self._refuse("an integer beyond 64 bits", node)
        elif isinstance(value, float):
            if value == float("inf"):
                self._refuse("a number too large to hold", node)
        else:
            self._refuse(f"a {type(value).__name__} literal is not allowed in a condition", node)

    def _name(self, node: ast.Name, loops: Mapping[str, int]) -> None:
        if node.id in self.names or node.id in loops:
            return
        if node.id in FUNCTIONS:
            self._refuse(f"{node.id!r} is a function", node, f"call it: {node.id}(…)")
        known = sorted(self.names | set(loops))
        hint = nearest(node.id, known)
        if node.id in _WORDS_ELSEWHERE:
            hint = f"write {_WORDS_ELSEWHERE[node.id]}"
        elif not hint:
            hint = f"these names are known: {', '.join(known)}; data of the event is event.data.{node.id[:40]}"
        self._refuse(f"unknown name {node.id[:60]!r}", node, hint)

    def _word(self, word: str, node: ast.expr) -> None:
        if word.startswith("_"):
            self._refuse(f"{word[:60]!r} starts with an underscore, which is not allowed", node)

    def _index(self, node: ast.expr, depth: int, loops: Mapping[str, int]) -> None:
        if not isinstance(node, ast.Slice):
            self.visit(node, depth, loops)
            return
        for part in (node.lower, node.upper, node.step):
            if part is not None:
                self.visit(part, depth, loops)

    def _call(self, node: ast.Call, depth: int, loops: Mapping[str, int]) -> None:
        if node.keywords:
            self._refuse("arguments by keyword are not allowed in a condition", node)
        if isinstance(node.func, ast.Attribute):
            name, known = node.func.attr, sorted(_METHOD_NAMES)
            self._word(name, node.func)
            arities = [table[name][1:] for table in METHODS.values() if name in table]
        elif isinstance(node.func, ast.Name):
            name, known = node.func.id, sorted(FUNCTIONS)
            arities = [FUNCTIONS[name][1:]] if name in FUNCTIONS and name not in loops else []
        else:
            self._refuse("only the listed functions and methods can be called", node)
        if not arities:
            hint = nearest(name, known) or f"these can be called: {', '.join(known)}"
            self._refuse(f"{name[:60]!r} cannot be called in a condition", node.func, hint)
        least, most = min(arity[0] for arity in arities), max(arity[1] for arity in arities)
        if not least <= len(node.args) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            self._refuse(f"{name}() takes {wanted} arguments, not {len(node.args)}", node)
        if isinstance(node.func, ast.Attribute):
            self.visit(node.func.value, depth + 1, loops)
        for argument in node.args:
            self.visit(argument, depth + 1, loops)

    def _compare(self, node: ast.Compare, depth: int, loops: Mapping[str, int]) -> None:
        sides = [node.left, *node.comparators]
        for left, operation, right in zip(sides, node.ops, sides[1:], strict=False):
            if type(operation) not in COMPARISONS:
                self._refuse_node(operation, node)
            # "is" between numbers or texts depends on how Python stores them.
            if isinstance(operation, ast.Is | ast.IsNot) and not (_is_singleton(left) or _is_singleton(right)):
                self._refuse("'is' is only for None, True and False", node, "use == or !=")
        # 'action_0' in results names one step, where results alone would mean all of them.
        membership = len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn)
        if membership and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
            base = self._path(node.comparators[0], loops)
            if base is not None:
                self._constant(node.left)
                self.paths.add((*base[0], node.left.value))
                self._chain(node.comparators[0], depth + 1, loops)
                return
        for side in sides:
            self.visit(side, depth + 1, loops)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp, depth: int, loops: Mapping[str, int]) -> None:
        if len(node.generators) != 1 or node.generators[0].is_async:
            self._refuse("one 'for' is allowed in a loop", node)
        nesting = max(loops.values(), default=0) + 1
        if nesting > MAX_LOOPS_NESTED:
            self._refuse(f"loops may be nested {MAX_LOOPS_NESTED} deep", node)
        generator = node.generators[0]
        self.visit(generator.iter, depth + 1, loops)
        targets = generator.target.elts if isinstance(generator.target, ast.Tuple) else [generator.target]
        inner = dict(loops)
        for target in targets:
            if not isinstance(target, ast.Name):
                self._refuse("a loop variable is one name", target)
            self._word(target.id, target)
            if target.id in self.names or target.id in FUNCTIONS:
                self._refuse(f"the loop variable {target.id!r} hides a name that is in use", target)
            inner[target.id] = nesting
        for part in (*generator.ifs, node.elt):
            self.visit(part, depth + 1, inner)

    def _path(self, node: ast.expr, loops: Mapping[str, int]) -> tuple[Path, bool] | None:
        """The static path that a chain of dots, indexes and .get calls reads, and whether it must be there."""
        match node:
            case ast.Name(id=name):
                return ((name,), True) if name in self.names and name not in loops else None
            case ast.Attribute(value=value, attr=key):
                base = self._path(value, loops)
                return base and ((*base[0], key), base[1])
            case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
                base = self._path(value, loops)
                return base and ((*base[0], key), base[1])
            case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[ast.Constant(value=str(key)), *_]):
                base = self._path(value, loops)
                return base and ((*base[0], key), False)
        return None

    def _chain(self, node: ast.expr, depth: int, loops: Mapping[str, int]) -> None:
        """Check the links of a chain whose whole path is on record already."""
        while not isinstance(node, ast.Name):
            self.count += 1
            depth += 1
            if self.count > MAX_NODES or depth > MAX_DEPTH:
                self._refuse("the condition is too long or nested too deeply", node)
            match node:
                case ast.Attribute(value=value):
                    self._word(node.attr, node)
                    node = value
                case ast.Subscript(value=value, slice=ast.Constant() as key):
                    self._constant(key)
                    node = value
                case ast.Call(func=ast.Attribute(value=value), args=arguments, keywords=keywords):
                    if keywords or len(arguments) > 2:
                        self._refuse(".get() takes a key and a default", node)
                    for argument in arguments:
                        self.visit(argument, depth, loops)
                    node = value

    def _refuse_node(self, part: ast.AST, node: ast.expr) -> NoReturn:
        what = _REFUSED_NODES.get(type(part), type(part).__name__)
        self._refuse(f"{what} is not allowed in a condition", node, _REFUSED_HINTS.get(what, ""))

    def _refuse(self, message: str, node: ast.expr, hint: str = "") -> NoReturn:
        line = self.lines[min(node.lineno, len(self.lines)) - 1]
        column = len(line.encode()[: node.col_offset].decode(errors="ignore")) + 1
        place = f"column {column}" if len(self.lines) == 1 else f"line {node.lineno}, column {column}"
        raise ConditionError(f"{message}, at {place} ({shown(line[column - 1 :][:30])})", where=self.where, hint=hint)


def _is_singleton(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))
