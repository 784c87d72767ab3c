"""A job that has ended, as the steps after it see it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.trigger import MOST_DEPTH

if TYPE_CHECKING:
    from worker.result import Result
    from worker.steps import Step

TOO_DEEP = "chain_too_deep"


@dataclass(frozen=True)
class Output:
    """What a job wrote: its beginning as text, and all of it as JSON if it is JSON of no more than 1 MB."""

    text: str = ""
    value: Any = None


@dataclass(frozen=True)
class Parent:
    """The job that has ended; ``attempt`` is the one that its result is of."""

    result: Result
    output: Output
    attempt: str

    @property
    def reference(self) -> str:
        """``batch/id``."""
        return f"{self.result.batch}/{self.result.id}"

    @property
    def root(self) -> str:
        """The first job of the chain, ``batch/id``."""
        made_by = self.result.trigger
        return made_by.step.root if made_by and made_by.step else self.reference

    @property
    def depth(self) -> int:
        """The depth of the jobs after it; what is deeper than the model takes is too deep in any case."""
        return min(MOST_DEPTH, 1 + (self.result.trigger.depth if self.result.trigger else 0))

    def values(self) -> dict[str, Any]:
        """What expressions are about."""
        kept = {"id", "batch", "status", "verdict", "score", "exit_code", "error", "metadata"}
        result = json.loads(self.result.model_dump_json(include=kept))
        result["files"] = [{"path": file.path, "bytes": file.bytes} for file in self.result.files]
        result |= {"output": self.output.value, "stdout": self.output.text}
        return {"result": result, "job": {name: result[name] for name in ("id", "batch", "metadata")}}


def follows(step: Step, result: Result) -> bool:
    """Whether a step is taken after such an end.

    Nothing follows what is too deep, and what was cancelled has neither succeeded nor failed.
    """
    if result.error and result.error.code == TOO_DEEP:
        return False
    failed = result.status not in {"succeeded", "cancelled"}
    return {"ended": True, "succeeded": result.status == "succeeded", "failed": failed}[step.on]
