"""One cases file for many jobs: a blob of the batch that each of them refers to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.cases_source import read_cases
from worker.fitting import INPUTS
from worker.setting_groups import MAX_CASES_BYTES

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class SharedCases:
    """A cases file, as canonical JSON, for the jobs of a batch that have no cases of their own."""

    data: bytes

    def blob(self, batch: str) -> str:
        """Where it lies for a batch; another file is another blob, and so makes other jobs."""
        return f"{INPUTS}/{batch}/cases-{hashlib.sha256(self.data).hexdigest()[:16]}.json"

    def given_to(self, document: dict[str, Any], batch: str) -> dict[str, Any]:
        """The job with a reference to the file."""
        return {"cases": {"blob": self.blob(batch)}, **document}


def shared_cases(path: Path, limit: int = MAX_CASES_BYTES) -> SharedCases:
    """The cases of a file or folder; arguments and errors are those of ``read_cases``."""
    return SharedCases(read_cases(path, limit).data)
