"""A plugin's settings: its table in ``aie.toml`` and its environment variables, checked by the plugin's own model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from aie.config import Config
from aie.config_file import FILE_NAME
from aie.plugins.guard import BrokenPluginError, guarded, one_line
from aie.spelling import nearest

_SECRET_NAME = re.compile(r"pass|pwd|token|secret|authorization|cookie|credential|api[-_]?key", re.IGNORECASE)


def checked_settings(plugin: str, model: type[BaseModel] | None, config: Config) -> BaseModel | None:
    """An instance of ``model``, or None if the plugin has none. Raises BrokenPluginError naming the key at fault."""
    table = config.plugin_table(plugin)
    if model is None:
        for key in table:
            raise _wrong(plugin, (key,), config, "is set, and the plugin has no settings", "take it out")
        return None
    _refuse_unknown(plugin, model, table, config)
    for field in _secret_fields(model):
        for path in _places(config.tables.get(plugin, {}), field):
            variable = "__".join((f"AIE_{plugin}", *path)).upper()
            hint = f"take it out of {FILE_NAME} and set the environment variable {variable}"
            raise _wrong(plugin, path, config, "is a secret, and the vault is no place for secrets", hint)
    result = guarded("checking its settings", _validated, model, table)
    if isinstance(result, ValidationError):
        raise _first_of(result, plugin, model, config)
    return result


def _validated(model: type[BaseModel], table: Mapping[str, Any]) -> BaseModel | ValidationError:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        return error


def _refuse_unknown(plugin: str, model: type[BaseModel], table: Mapping[str, Any], config: Config) -> None:
    """A misspelt key is an error, also where the model would pass over it."""
    known = {name for name in model.model_fields if not model.model_fields[name].validation_alias}
    for name, field in model.model_fields.items():
        if field.validation_alias is not None:
            if not isinstance(field.validation_alias, str):
                return  # several spellings of a key: the model knows best
            known |= {field.validation_alias, name}
    if model.model_config.get("extra") == "allow":
        return
    for key in table:
        if key not in known:
            near = nearest(key, known)
            hint = f"did you mean {near!r}?" if near else "the settings are " + (", ".join(sorted(known)) or "none")
            raise _wrong(plugin, (key,), config, "is not a setting of the plugin", hint)


def _first_of(error: ValidationError, plugin: str, model: type[BaseModel], config: Config) -> BrokenPluginError:
    details = error.errors(include_url=False, include_context=False)
    first = details[0]
    path = tuple(first["loc"])
    said = one_line(first["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    hint = f"correct it; aie plugins show {plugin} lists the settings"
    if first["type"] == "missing":
        return _wrong(plugin, path, config, "is missing", f"set it; aie plugins show {plugin} lists the settings")
    if first["type"] == "extra_forbidden":
        return _wrong(plugin, path, config, "is not a setting of the plugin", hint)
    found = "" if "found" in said else f", found {_shown(first['input'], path, model)}"
    more = f", and {len(details) - 1} more" if len(details) > 1 else ""
    return _wrong(plugin, path, config, f"is not right: {said[:1].lower()}{said[1:]}{found}{more}", hint)


def _shown(value: object, path: tuple[str | int, ...], model: type[BaseModel]) -> str:
    """The value for people; of a secret, or of what may hold one, only the type."""
    secret = any(_is_within(path, field) for field in _secret_fields(model))
    named = any(isinstance(part, str) and _SECRET_NAME.search(part) for part in path)
    if secret or named or not path or not isinstance(value, (str, int, float, type(None))):
        return f"a {type(value).__name__}"
    return one_line(repr(value))


def _is_within(path: tuple[str | int, ...], field: tuple[str, ...]) -> bool:
    return len(path) >= len(field) and all(wanted in ("*", part) for part, wanted in zip(path, field, strict=False))


def _wrong(plugin: str, path: tuple[str | int, ...], config: Config, problem: str, hint: str) -> BrokenPluginError:
    variable = config.from_environment(plugin, *path)
    key = variable or config.key(plugin, *path)
    where = variable or str(config.vault / FILE_NAME)
    return BrokenPluginError(f"{key} {problem}", where=where, hint=hint)


def _places(value: Any, field: tuple[str, ...], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where the field stands in a table and has a value; ``*`` in it is any key."""
    if not field:
        if value is not None:
            yield at
    elif isinstance(value, Mapping):
        for key in list(value) if field[0] == "*" else [field[0]]:
            yield from _places(value.get(key), field[1:], (*at, key))


def _secret_fields(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """The paths of all secret fields, those of models within it included; ``*`` is any key of a table of them."""
    for name, field in model.model_fields.items():
        key = field.validation_alias if isinstance(field.validation_alias, str) else name
        for kind in _parts(field.annotation):
            if kind in (SecretStr, SecretBytes):
                yield (key,)
            elif isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not model:
                outer = (key, "*") if _is_table_of(field.annotation, kind) else (key,)
                yield from ((*outer, *inner) for inner in _secret_fields(kind))


def _is_table_of(annotation: Any, kind: type) -> bool:
    """Whether the annotation, or a part of it, is ``dict[str, kind]``."""
    if get_origin(annotation) in (dict, Mapping):
        return kind in _parts(annotation)
    return any(_is_table_of(part, kind) for part in get_args(annotation))


def _parts(annotation: Any) -> Iterator[Any]:
    """The annotation itself, or the types it is made of: ``SecretStr | None`` has both."""
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for part in inner:
        yield from _parts(part)
