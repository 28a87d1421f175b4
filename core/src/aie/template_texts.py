"""Texts with placeholders: checked when they are loaded; filled in piece by piece if they are simple, else by Jinja."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from aie.operations import OperationError
from aie.plain import Json
from aie.references import References
from aie.template_pieces import Pieces
from aie.template_rendering import Rendering

if TYPE_CHECKING:
    from jinja2 import Template as JinjaTemplate

    from aie.template_jinja import Jinja

MAX_SOURCE = 65_536
MAX_TAGS = 500


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
            spent = rendering.work
            try:
                filled = self.pieces.value(scope, rendering) if self.is_lone else self.pieces.text(scope, rendering)
            except Exception:  # whatever it was: Jinja has the answer, or the error
                rendering.work = spent
                return self.render_by_jinja(scope, rendering)
            return rendering.copied(filled) if self.is_lone else rendering.taken(filled)
        return self.render_by_jinja(scope, rendering)

    def render_by_jinja(self, scope: Mapping[str, Json], rendering: Rendering) -> Json:
        """The same by Jinja alone: slower, and the one that says what an error is."""
        return self._compiler.by_jinja.rendered(self._compiled, self.is_lone, scope, rendering)

    @cached_property
    def _compiled(self) -> JinjaTemplate:
        return self._compiler.by_jinja.compiled(self.source, self.is_lone)


class TextCompiler:
    """Checks texts, and keeps the latest thousand so that equal texts share one compiled template."""

    def __init__(self, names: frozenset[str], *, kept: int = 1_000) -> None:
        self._names = names
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
        is_lone, is_path, references = self.by_jinja.read(source)
        return Text(source, is_lone, is_path, None, references, self)

    @cached_property
    def by_jinja(self) -> Jinja:
        # Most vaults have simple texts only: these save each command a tenth of a second and aie start 3 MB.
        from aie.template_jinja import Jinja  # noqa: PLC0415

        return Jinja(self._names)

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
        return Text(source, pieces.is_lone, pieces.is_lone_path, pieces, None, self)
