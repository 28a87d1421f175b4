"""The commands of docs/plugins.md, one after the other, in an environment that may be installed into."""

from __future__ import annotations

import subprocess
import sysconfig
import venv
from pathlib import Path

from tests.pages import ROOT, blocks
from tests.plugin_dists import write_wheel

# Stands in for the package of this name, which needs more than there is in core's environment.
GMAIL = """
    from pydantic import BaseModel, Field

    from aie.actions import ActionHandler
    from aie.hookspecs import hookimpl
    from aie.touches import Touches


    class SendEmail(BaseModel):
        to: str = Field(description="who gets it")


    def send(params, context):
        return {}


    @hookimpl
    def aie_action_handlers(settings):
        return [
            ActionHandler(
                "send_email", SendEmail, send, "sends a mail", example={"to": "ada@example.com"},
                touches=Touches.at("smtp.example"),
            )
        ]
"""


def test_the_page_on_plugins_works_as_it_stands(tmp_path: Path) -> None:
    environment, wheels = tmp_path / "env", tmp_path / "wheels"
    venv.create(environment, with_pip=True, symlinks=True)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "around.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    python = environment / "bin" / "python"
    (environment / "bin" / "aie").write_text(f'#!/bin/sh\nexec {python} -m aie "$@"\n')
    (environment / "bin" / "aie").chmod(0o755)
    write_wheel(wheels, "aie-gmail", GMAIL, metadata="Author: Example Ltd\n")
    script = "".join(
        block.text if block.language == "console" else f"cat > aie.toml <<'END'\n{block.text}END\n"
        for block in blocks(ROOT / "docs" / "plugins.md")
        if block.language in ("console", "toml")
    )
    env = {
        "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
        "HOME": str(tmp_path / "home"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
    }
    ran = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, env=env, capture_output=True, encoding="utf-8", check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for said in (
        "  Touches    in the vault: all of it, Inbox, Pending_Approval, Approved, Rejected, Done\n",
        "gmail (aie-gmail 1.0): ok\n",
        "  Publisher  Example Ltd, as the package says\n",
        "checks went well, 0 did not\n",
        "gmail is off.\n",
        "gmail is on again.\n",
        "aie-gmail is gone.",
        f"  From       file {tmp_path / 'shop' / 'plugins' / 'greet.py'}\n",
        "Action greet: says hello\n",
    ):
        assert said in ran.stdout, ran.stdout
    assert [path.name for path in (tmp_path / "shop" / "plugins").iterdir()] == ["greet.py"]
