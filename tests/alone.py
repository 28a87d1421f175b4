"""An environment with aie-core and at most one other package of ours, as somebody has it who installs no more.

``python -m tests.alone build/gmail-alone plugins/gmail`` makes it. What is not ours is linked from the environment
that this runs in: it is there already, and was checked when it was installed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

WORKSPACE = Path(__file__).parent.parent


def make(folder: Path, *packages: str) -> Path:
    """The environment, made anew; gives its Python."""
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    there = Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    for item in Path(sysconfig.get_path("purelib")).iterdir():
        if not item.name.startswith(("aie", "_aie")) and item.suffix != ".pth":
            (there / item.name).symlink_to(item)
    for package in dict.fromkeys(("core", *packages)):
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
        subprocess.run([python, "-m", "pip", "install", *options, "-e", WORKSPACE / package], check=True)
    return python


if __name__ == "__main__":
    make(Path(sys.argv[1]), *sys.argv[2:])
