"""Trying a plugin without its service, without waiting, and without pytest; and the contract every plugin keeps.

The names below are for authors of plugins; docs/testing-plugins.md shows them at work.
"""

from aie.testing.clock import FakeClock
from aie.testing.contract import contract, examine
from aie.testing.home import Home
from aie.testing.report import Check, Report, Result
from aie.testing.runs import RunView, StepView
from aie.testing.silence import silent_port

__all__ = [
    "Check",
    "FakeClock",
    "Home",
    "Report",
    "Result",
    "RunView",
    "StepView",
    "contract",
    "examine",
    "silent_port",
]
