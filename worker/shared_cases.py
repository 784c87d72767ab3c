"""One cases file for many jobs: a blob of the batch that each of them refers to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from worker.cases_file import load_cases

INPUTS = "inputs"  # the container of cases files, and of parts that a message has no room for


@dataclass(frozen=True)
class SharedCases:
    """A cases file for the jobs of a batch that have no cases of their own."""

    data: bytes

    def blob(self, batch: str) -> str:
        """Where it lies for a batch; another file is another blob, and so makes other jobs."""
        return f"{INPUTS}/{batch}/cases-{hashlib.sha256(self.data).hexdigest()[:16]}.json"

    def given_to(self, document: dict[str, Any], batch: str) -> dict[str, Any]:
        """The job with a reference to the file."""
        return {"cases": {"blob": self.blob(batch)}, **document}


def shared_cases(data: bytes) -> SharedCases:
    """Check a cases file; raises as ``load_cases`` does."""
    load_cases(data)
    return SharedCases(data)
