"""A cases file for jobs that were sent before: which of them it is for, and what it changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from worker.batch import BatchError
from worker.cases_file import load_cases
from worker.faults import AlreadyCommitted, BlobMissing, JobRejected
from worker.fitting import INPUTS

if TYPE_CHECKING:
    from worker.batch import Folder, Store
    from worker.case import CasesFile
    from worker.shared_cases import SharedCases

MAX_CASES_BYTES = 64 << 20


class NewCases:
    """A cases file, or none, for the jobs of a batch that have no cases of their own.

    Args:
        store: the blobs.
        folder: the batch.
        cases: the file; None if all jobs keep what they had.
    """

    def __init__(self, store: Store, folder: Folder, cases: SharedCases | None) -> None:
        self._store, self._cases = store, cases
        self._shared = re.compile(rf"{INPUTS}/{re.escape(folder.batch)}(\.g\d+)?/cases-[0-9a-f]+\.[a-z]+")
        self._read: dict[str, CasesFile | None] = {}

    @property
    def are_given(self) -> bool:
        """Whether there is a file."""
        return self._cases is not None

    async def stored(self, batch: str) -> dict[str, str] | None:
        """What the jobs of a batch say for their cases, once the file lies in a blob; None without a file.

        Raises:
            BatchError: something else is in its place.
        """
        if self._cases is None:
            return None
        blob, data = self._cases.blob(batch), self._cases.data
        try:
            return {"blob": blob, "etag": await self._store.create(blob, data)}
        except AlreadyCommitted:
            content = await self._store.read(blob, limit=MAX_CASES_BYTES)
        if content.data != data:
            raise BatchError(f"the blob {blob} is there already and is something else: remove it first")
        return {"blob": blob, "etag": content.etag}

    def are_for(self, document: dict[str, Any]) -> bool:
        """Whether the file is for this job: it has no cases, or those of such a file."""
        if self._cases is None:
            return False
        match document.get("cases"):
            case None:
                return True
            case {"blob": str(blob)}:
                return self._shared.fullmatch(blob) is not None
        return False

    async def change(self, document: dict[str, Any]) -> bool:
        """Whether the file is for this job and asks for something else than it was graded with."""
        if self._cases is None or not self.are_for(document):
            return False
        blob = (document.get("cases") or {}).get("blob")
        if blob is None:
            return True
        if blob not in self._read:
            self._read[blob] = await self._understood_in(blob)
        return self._read[blob] != _understood(self._cases.data)

    async def _understood_in(self, blob: str) -> CasesFile | None:
        try:
            return _understood((await self._store.read(blob, limit=MAX_CASES_BYTES)).data)
        except BlobMissing:
            return None


def _understood(data: bytes) -> CasesFile | None:
    try:
        return load_cases(data)
    except JobRejected:
        return None
