"""Names that come out the same whenever they are made: of a step's attempts, and of a request to a person."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from aie.plain import Json, digest
from aie.run import Run
from aie.workflow import Step


def idempotency_key(run_id: str, step_id: str) -> str:
    """The same for every attempt at a step, on every machine: 32 hex digits."""
    return hashlib.sha256(f"{run_id}/{step_id}".encode()).hexdigest()[:32]


def approval_id(run: Run, step: Step, params: Mapping[str, Json]) -> str:
    """The id of the request for a step: the same when it is asked again after a crash.

    Another one when it is about other parameters or another definition.
    """
    asked = f"approval/{run.run_id}/{step.id}/{run.workflow.hash}/{digest(dict(params))}"
    return "apr_" + hashlib.sha256(asked.encode()).hexdigest()[:16]
