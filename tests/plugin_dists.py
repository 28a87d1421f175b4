"""Small plugin packages for tests, as an installer leaves them on disk: a module, and metadata beside it."""

from __future__ import annotations

import base64
import hashlib
import textwrap
import zipfile
from pathlib import Path

GOOD = textwrap.dedent("""
    from pydantic import BaseModel

    from aie.actions import ActionHandler
    from aie.hookspecs import hookimpl


    class Greet(BaseModel):
        text: str = "hello"


    async def greet(params, context):
        return {"said": params.text}


    @hookimpl
    def aie_action_handlers(settings):
        return [ActionHandler(name="greet", params=Greet, run=greet)]
""")


def write_dist(
    site: Path,
    package: str,
    source: str,
    *,
    version: str = "1.0",
    plugin: str | None = None,
    module: str | None = None,
    group: str = "aie.plugins",
    entry_point: str | None = None,
    metadata: str = "",
) -> Path:
    """Write the package ``aie-NAME`` with one module into the folder ``site``; returns its ``.dist-info``.

    By default the plugin is called NAME, its module ``aie_NAME``, and the entry point names that module. ``metadata``
    has further lines of its METADATA. Put ``site`` on ``sys.path`` (or PYTHONPATH) and the package is installed.
    """
    module = module or package.replace("-", "_")
    plugin = plugin or module.removeprefix("aie_")
    site.mkdir(parents=True, exist_ok=True)
    (site / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    info = site / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n{metadata}", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(f"[{group}]\n{plugin} = {entry_point or module}\n", encoding="utf-8")
    return info


def write_wheel(
    folder: Path, package: str, source: str, *, version: str = "1.0", plugin: str | None = None, metadata: str = ""
) -> Path:
    """The same package as :func:`write_dist` writes, as a wheel that an installer takes. ``plugin`` "" is none."""
    module = package.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": textwrap.dedent(source),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if plugin != "":
        files[f"{info}/entry_points.txt"] = f"[aie.plugins]\n{plugin or module.removeprefix('aie_')} = {module}\n"
    record = [f"{name},sha256={_digest(text)},{len(text.encode())}" for name, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
