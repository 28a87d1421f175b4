"""Small plugin packages for tests, as an installer leaves them on disk: a module, and metadata beside it."""

from __future__ import annotations

import textwrap
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
