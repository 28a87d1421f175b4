"""The action ``run_script``: a program the owner has listed in ``aie.toml``, and nothing else.

There is no shell. What runs is a private copy of the bytes that were checked, so nothing can be put in their place in
between; a script therefore finds its own things from the working folder, which is the vault, and not from where it
lies. It gets no input, hardly any environment, and nothing it started outlives the step.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from aie.actions import ActionContext, ActionHandler, Effect
from aie.builtin.process import Finished, run_process
from aie.builtin.settings import CoreSettings, ScriptSettings
from aie.errors import ActionError
from aie.touches import Touches

MAX_SCRIPT_BYTES = 64 * 1024 * 1024
MAX_TAIL = 1500  # characters of the error output that an error message carries


class RunScriptParameters(BaseModel):
    """Which script, and what it is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    script: str = Field(
        min_length=1,
        description="The script's name in aie.toml's [scripts], or its file name",
        examples=["backup", "backup.sh"],
    )
    arguments: list[str] = Field(
        default_factory=list, description="What it gets as arguments, each as it is", examples=[["--month", "2026-02"]]
    )
    allowed_scripts: list[str] | None = Field(
        default=None,
        description="Narrows what this step may run, for files that pass the script's name in from an event",
        examples=[["backup.sh"]],
    )


class RunScriptResult(BaseModel):
    """What came of it."""

    status: str = Field(default="success", description="success; anything else fails the step")
    exit_code: int = Field(description="0; anything else fails the step")
    stdout: str = Field(description="What it wrote, up to 64 KB")
    stderr: str = Field(description="What it wrote as errors, up to 64 KB")
    truncated: bool = Field(description="Whether it wrote more than that")
    duration_ms: int = Field(description="How long it took")


@dataclass(frozen=True, slots=True)
class _Script:
    name: str
    settings: ScriptSettings

    @property
    def file_name(self) -> str:
        return Path(self.settings.path).name


async def run_script(params: RunScriptParameters, context: ActionContext) -> dict[str, object]:
    settings = context.settings if isinstance(context.settings, CoreSettings) else CoreSettings()
    script = _chosen(params, settings)
    _check_arguments(params, script)
    content = _content(script, context.vault)
    folder = Path(tempfile.mkdtemp(prefix="aie-script-"))  # private: mode 0700
    try:
        copy = folder / script.file_name
        copy.touch(mode=0o700)
        copy.write_bytes(content)
        command = [*_interpreter(script, copy, content, context.vault), str(copy), *params.arguments]
        limit_s = min(context.timeout_s, script.settings.timeout_s or context.timeout_s)
        finished = await run_process(command, cwd=context.vault, env=_environment(context), limit_s=limit_s)
    except OSError as error:
        raise ActionError(
            f"the script {script.name!r} cannot be started: {error.strerror or error}",
            where=f"scripts.{script.name}",
            hint="check its first line (#!) and that this user may run it",
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _result(script, finished, limit_s)


def _chosen(params: RunScriptParameters, settings: CoreSettings) -> _Script:
    """The listed script that is meant; ActionError if there is none, or the step does not allow it."""
    known = [_Script(name, table) for name, table in settings.scripts.items()]
    found = [script for script in known if script.name == params.script]
    found = found or [script for script in known if script.file_name == params.script]
    if not found:
        raise _not_listed(params.script, known)
    if len(found) > 1:
        names = ", ".join(repr(script.name) for script in found)
        raise ActionError(
            f"{params.script!r} is the file name of several scripts in aie.toml: {names}",
            where="parameters.script",
            hint="write the name of the one you mean",
        )
    script = found[0]
    if params.allowed_scripts is not None and not {script.name, script.file_name} & set(params.allowed_scripts):
        raise ActionError(
            f"the script {params.script!r} is not among this step's allowed_scripts: {params.allowed_scripts!r}",
            where="parameters.allowed_scripts",
            hint=f"add {params.script!r} to allowed_scripts, or leave allowed_scripts out",
        )
    return script


def _not_listed(script: str, known: list[_Script]) -> ActionError:
    name = (
        "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in Path(script).stem).strip("_")
        or "my_script"
    )
    path = script if "/" in script else f"scripts/{script}"
    listed = f"; listed are {', '.join(item.name for item in known)}" if known else ""
    return ActionError(
        f"the script {script!r} is not listed in aie.toml{listed}",
        where="parameters.script",
        hint="only scripts the owner has listed may run; to allow it, add to aie.toml:\n"
        f"[scripts.{name}]\npath = {json.dumps(path, ensure_ascii=False)}",
    )


def _check_arguments(params: RunScriptParameters, script: _Script) -> None:
    if params.arguments and not script.settings.arguments:
        raise ActionError(
            f"the script {script.name!r} may not be given arguments",
            where="parameters.arguments",
            hint=f"to allow it, add to [scripts.{script.name}] in aie.toml:\narguments = true",
        )
    if any("\0" in argument for argument in params.arguments):
        raise ActionError("an argument of a script holds no NUL character", where="parameters.arguments")


def _content(script: _Script, vault: Path) -> bytes:
    """The script's bytes, checked; ActionError if there are none that may run."""
    where = f"scripts.{script.name}.path"
    written = Path(script.settings.path)
    root = vault.resolve()
    path = written if written.is_absolute() else root / written
    real = path.resolve()
    within = not written.is_absolute() or path.is_relative_to(root) or path.is_relative_to(vault)
    if within and not real.is_relative_to(root):
        raise ActionError(
            f"the path {script.settings.path!r} leads out of the vault",
            where=where,
            hint="write the absolute path of a script that lies elsewhere",
        )
    try:
        content = _read(real)
    except OSError as error:
        hint = f"put the script there, or correct the path of [scripts.{script.name}] in aie.toml"
        raise ActionError(f"{str(path)!r} cannot be read: {error.strerror or error}", where=where, hint=hint) from None
    found = hashlib.sha256(content).hexdigest()
    if script.settings.sha256 and found != script.settings.sha256:
        raise ActionError(
            f"the script {script.name!r} has changed: its SHA-256 is {found}",
            where=f"scripts.{script.name}.sha256",
            hint="look at what changed; if it is right, write that number into aie.toml",
        )
    return content


def _read(path: Path) -> bytes:
    """The content of a plain file that is not too large; waits for no pipe, follows no link put there since."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a file")
        content = file.read(MAX_SCRIPT_BYTES + 1)
    if len(content) > MAX_SCRIPT_BYTES:
        raise OSError("it is larger than 64 MB")
    return content


def _interpreter(script: _Script, copy: Path, content: bytes, vault: Path) -> list[str]:
    """What to start the copy with: nothing if its own first line says it, else what its suffix stands for."""
    runnable = os.access(vault / script.settings.path, os.X_OK)
    if runnable and content.startswith(b"#!"):
        return []
    known = {".py": sys.executable, ".sh": "/bin/sh"}.get(copy.suffix.lower())
    if known:
        return [known]
    if runnable:
        return []
    raise ActionError(
        f"the script {script.name!r} is not executable, and {copy.suffix or 'no suffix'!r} does not say what runs it",
        where=f"scripts.{script.name}.path",
        hint=f"chmod +x {script.settings.path!r}, or name a file that ends in .py or .sh",
    )


def _environment(context: ActionContext) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", str(Path.home())),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "AIE_RUN_ID": context.run_id,
        "AIE_STEP_ID": context.step_id,
        "AIE_IDEMPOTENCY_KEY": context.idempotency_key,
    }


def _result(script: _Script, finished: Finished, limit_s: float) -> dict[str, object]:
    tail = finished.stderr_tail.strip()[-MAX_TAIL:]
    said = f"; its last words: {tail}" if tail else ""
    where = f"scripts.{script.name}"
    if finished.timed_out:
        raise ActionError(
            f"the script {script.name!r} was stopped because it took longer than {limit_s:g} s; what it did until then "
            f"stands{said}",
            where=where,
            hint="raise the step's timeout (and timeout_s in aie.toml), or make the script quicker",
        )
    if finished.exit_code:
        ended = f"ended with exit code {finished.exit_code}"
        if finished.exit_code < 0:
            ended = f"was ended by signal {-finished.exit_code}"
        raise ActionError(f"the script {script.name!r} {ended}{said}", where=where, hint="run it by hand in the vault")
    return RunScriptResult(
        exit_code=0,
        stdout=finished.stdout,
        stderr=finished.stderr,
        truncated=finished.truncated,
        duration_ms=finished.duration_ms,
    ).model_dump()


RUN_SCRIPT = ActionHandler(
    name="run_script",
    params=RunScriptParameters,
    run=run_script,
    summary="Runs a script that aie.toml lists",
    example={"script": "backup", "arguments": ["--month", "2026-02"]},
    result=RunScriptResult,
    effect=Effect.LOCAL,
    repeatable=False,
    locked_fields=frozenset({"script", "allowed_scripts"}),
    touches=Touches(folders=(".",), commands=("the scripts that aie.toml lists",)),
)
