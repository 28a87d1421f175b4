"""A plugin that is one file, which ``[plugins] files`` in ``aie.toml`` names."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


@dataclass(frozen=True, slots=True)
class LocalFile:
    """The name it goes by, and where it is."""

    name: str
    path: Path

    def module(self) -> ModuleType:
        """The file as a module; run once, until another file takes its name."""
        name = f"aie_file_{self.name}"
        known = sys.modules.get(name)
        if known is not None and known.__file__ == str(self.path):
            return known
        loader = _Loader(name, str(self.path))
        module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, loader=loader))  # type: ignore[arg-type]
        sys.modules[name] = module  # before it runs, as import does: dataclasses and pydantic look there
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module


class _Loader(SourceFileLoader):
    """Compiles the source each time: no ``__pycache__`` comes into the vault, and none that lies there is believed."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code
