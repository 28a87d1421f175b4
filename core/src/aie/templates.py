"""Templates: parameters with ``{{ … }}`` in them, filled in once from the event and the results so far.

- Keys are never templates. Text that comes in with data is data: it is never rendered again.
- A string that is one lone ``{{ … }}``, without even a blank around it, keeps the type of its value.
- In running text null is nothing; every other value is written the way Python writes it.
- Nothing is escaped: the results are Markdown and plain text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from aie.errors import EventError, TemplateError
from aie.operations import OperationError
from aie.plain import Json, check_json, path_text, shown
from aie.references import Path, References
from aie.template_rendering import MissingValueError, Rendering
from aie.template_texts import Text, TextCompiler

NAMES = frozenset({"event", "results", "workflow", "run", "now"})


@dataclass(frozen=True)
class _Constant:
    value: Json


@dataclass(frozen=True)
class _Filled:
    """One string with placeholders, and where in the parameters it stands."""

    text: Text
    keys: tuple[str | int, ...]


@dataclass(frozen=True)
class _Mapping:
    parts: tuple[tuple[str, _Part], ...]


@dataclass(frozen=True)
class _Sequence:
    parts: tuple[_Part, ...]


_Part = _Constant | _Filled | _Mapping | _Sequence


@dataclass(frozen=True)
class Template:
    """A checked tree of parameters; equal when the source is."""

    source: Json
    where: str = field(default="", compare=False)
    part: _Part = field(kw_only=True, repr=False, compare=False)
    references: References = field(kw_only=True, repr=False, compare=False)

    @classmethod
    def parse(cls, value: Json, *, where: str = "") -> Template:
        """One template on its own; whoever parses many shares a TemplateCompiler between them."""
        return TemplateCompiler().parse(value, where=where)

    @property
    def paths(self) -> frozenset[Path]:
        """Static paths that are read, such as ``("event", "data", "amount")``."""
        return self.references.paths

    @property
    def required_paths(self) -> frozenset[Path]:
        """The paths that are an error when missing: read without ``.get``, ``default`` or ``is defined``."""
        return self.references.required_paths

    @cached_property
    def result_steps(self) -> frozenset[str] | None:
        """Ids of the steps whose results are read; None means that any earlier step's may be."""
        return self.references.result_steps

    def render(self, scope: Mapping[str, Json], *, optional: frozenset[str] = frozenset()) -> Json:
        """New data for a scope of plain JSON data, which is only read. Raises TemplateError and nothing else.

        A top-level parameter named in ``optional`` that is one lone ``{{ path }}`` is left out when nothing is there.
        """
        rendering = Rendering()
        if not isinstance(self.part, _Mapping):
            return self._filled(self.part, scope, rendering)
        filled: dict[str, Json] = {}
        for key, part in self.part.parts:
            may_lack = key in optional and isinstance(part, _Filled) and part.text.is_lone_path
            try:
                filled[key] = self._filled(part, scope, rendering, may_lack=may_lack)
            except MissingValueError:
                continue
        return filled

    def explain(self, scope: Mapping[str, Json]) -> list[tuple[str, Json | str]]:
        """What the template saw: the value at each path, or ``missing``."""
        return self.references.explain(scope)

    def _filled(self, part: _Part, scope: Mapping[str, Json], rendering: Rendering, *, may_lack: bool = False) -> Json:
        if isinstance(part, _Filled):
            return self._text(part, scope, rendering, may_lack=may_lack)
        if isinstance(part, _Mapping):
            return {key: self._filled(each, scope, rendering) for key, each in part.parts}
        if isinstance(part, _Sequence):
            return [self._filled(each, scope, rendering) for each in part.parts]
        return _copied(part.value)

    def _text(self, part: _Filled, scope: Mapping[str, Json], rendering: Rendering, *, may_lack: bool) -> Json:
        try:
            return part.text.render(scope, rendering)
        except MissingValueError as error:
            if may_lack:
                raise
            message, hint = error.described(scope, part.text.references.paths)
            raise TemplateError(message, where=_place(self.where, part.keys), hint=hint) from None
        except (OperationError, EventError) as error:
            message = f"{error.message} (in {shown(part.text.source)})"
            raise TemplateError(message, where=_place(self.where, part.keys), hint=error.hint) from None
        # Whatever goes wrong in a rendering is a matter of this template and this data, never of the engine.
        except Exception as error:
            message = f"{type(error).__name__}: {shown(str(error))} (in {shown(part.text.source)})"
            raise TemplateError(message, where=_place(self.where, part.keys)) from error


class TemplateCompiler:
    """Parses templates, sharing one environment and one compiled text between equal texts."""

    def __init__(self, *, names: frozenset[str] = NAMES) -> None:
        self._texts = TextCompiler(names)

    def parse(self, value: Json, *, where: str = "") -> Template:
        """Raises TemplateError for whatever is not part of the language, naming the parameter it stands in."""
        try:
            source = check_json(value, where=where)
        except EventError as error:
            raise TemplateError(error.message, where=where, hint=error.hint) from None
        found: list[References] = []
        part = self._part(source, (), where, found)
        return Template(source, where, part=part, references=References.union(found))

    def _part(self, value: Json, keys: tuple[str | int, ...], where: str, found: list[References]) -> _Part:
        if isinstance(value, str) and ("{{" in value or "{%" in value):
            try:
                text = self._texts.text(value)
            except OperationError as error:
                message = f"{error.message} (in {shown(value)})"
                raise TemplateError(message, where=_place(where, keys), hint=error.hint) from None
            found.append(text.references)
            return _Filled(text, keys)
        parts: tuple[_Part, ...]
        if isinstance(value, dict):
            parts = tuple(self._part(each, (*keys, key), where, found) for key, each in value.items())
            # The top level stays a mapping, so that optional parameters can be left out of it.
            if keys and all(isinstance(part, _Constant) for part in parts):
                return _Constant(value)
            return _Mapping(tuple(zip(value, parts, strict=True)))
        if isinstance(value, list):
            parts = tuple(self._part(each, (*keys, index), where, found) for index, each in enumerate(value))
            return _Constant(value) if all(isinstance(part, _Constant) for part in parts) else _Sequence(parts)
        return _Constant(value)


def _copied(value: Json) -> Json:
    """A copy of data that was checked when the template was parsed."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def _place(where: str, keys: tuple[str | int, ...]) -> str:
    """``action_1.parameters`` and ``("to",)`` as ``action_1.parameters.to``."""
    path = path_text(list(keys))
    return f"{where}.{path}" if where and path and not path.startswith("[") else where + path
