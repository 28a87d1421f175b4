"""``python -m aie``."""

from aie.cli import main

main()
