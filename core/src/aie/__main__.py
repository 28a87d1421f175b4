"""``aie``, and ``python -m aie``."""

import sys


def main() -> None:
    """Run the command line. Whoever presses Ctrl-C while it is still being loaded is not shown where that was."""
    try:
        from aie.cli import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
