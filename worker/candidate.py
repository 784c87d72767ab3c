"""A job to be: what a manifest says of it, and where it is read from, to be checked and again to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from worker.batch import BatchError, Entry, digest
from worker.faults import JobRejected, SubmissionUnusable
from worker.strict_json import parse_json

if TYPE_CHECKING:
    from pathlib import Path

    from worker.shared_cases import SharedCases


class Source(Protocol):
    """Where a job is read from."""

    def load(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The job, and the blobs that are to be uploaded for it; raises ``SubmissionUnusable``."""


@dataclass(frozen=True)
class Candidate:
    """One job to be: what the manifest says of it, and where to read it when its turn comes.

    Attributes:
        problem: why it cannot be used, for its owner: it gets a rejection for its result and is not sent.
    """

    batch: str
    entry: Entry
    source: Source
    cases: SharedCases | None = None
    problem: str | None = None

    def load(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The job, and the blobs that are to be uploaded for it.

        Raises:
            BatchError: it is not what it was when it was checked.
        """
        changed = f"{self.entry.id} changed while it was being submitted: submit again"
        try:
            document, blobs = self.source.load()
        except SubmissionUnusable:
            raise BatchError(changed) from None
        if self.cases:
            document = self.cases.given_to(document, self.batch)
        if digest(document) != self.entry.digest:
            raise BatchError(changed)
        return document, blobs


@dataclass(frozen=True)
class Unread:
    """A submission that cannot be used: a job with nothing to run."""

    document: dict[str, Any]

    def load(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The job as far as it goes."""
        return self.document, {}


@dataclass(frozen=True)
class ManifestLine:
    """A line of a manifest file, by its place; ``batch`` overrides the job's own."""

    path: Path
    offset: int
    length: int
    batch: str | None

    def load(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The job as it stands there."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return _document(file.read(self.length), self.batch), {}


@dataclass(frozen=True)
class Given:
    """A job that is at hand; ``batch`` overrides the job's own."""

    document: Mapping[str, Any]
    batch: str | None

    def load(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The job; raises ``JobRejected`` for what is none at all."""
        return _in_batch(_object(self.document), self.batch), {}


def _document(line: bytes, batch: str | None) -> dict[str, Any]:
    document = parse_json(line.removeprefix(b"\xef\xbb\xbf").strip(), "line")
    return _in_batch(_object(document), batch)


def _object(document: object) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise JobRejected("invalid_job", "a job is a JSON object")
    return dict(document)


def _in_batch(document: dict[str, Any], batch: str | None) -> dict[str, Any]:
    return {**document, "batch": batch} if batch else document


def candidate_of(source: Source, batch: str) -> Candidate:
    """The job that a source has; raises ``SubmissionUnusable``."""
    document, _ = source.load()
    metadata = document.get("metadata")
    entry = Entry(document["id"], digest(document), metadata if isinstance(metadata, dict) else {})
    return Candidate(batch, entry, source)
