"""What is to be sent once something stands, as it is kept beside the results until then."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from worker.destinations import Destination
from worker.faults import AlreadyCommitted

PREFIX = "_outbox/"
BATCH = "_batch"


class Keeps(Protocol):
    """What is needed to keep a record; see ``worker.blobs.Blobs``."""

    async def create(self, blob: str, data: bytes) -> str: ...  # noqa: D102 - the adapter says


@dataclass(frozen=True)
class Parcel:
    """A message to send, by its destination."""

    destination: Destination
    message_id: str
    body: str
    content_type: str = "application/json"
    subject: str | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """What is to be sent on behalf of one attempt at one job, or of one record of a complete batch.

    Attributes:
        job: None for a batch.
        mark: the attempt's name, or the mark of the record.
        parcels: None of one that was left by a command: the worker that finds it tells those that it knows.
        replaces: ETag of the result that its own is to take the place of: while that stands, it may.
    """

    batch: str
    job: str | None
    mark: str
    parcels: tuple[Parcel, ...] | None = None
    replaces: str | None = None

    @property
    def name(self) -> str:
        """Its blob, in the results container."""
        return f"{prefix_of(self.batch, self.job)}{self.mark}.json"

    def encoded(self) -> bytes:
        """As it is stored."""
        parcels = self.parcels and [
            {**asdict(parcel), "destination": parcel.destination.model_dump(exclude_none=True)}
            for parcel in self.parcels
        ]
        return json.dumps({"version": 1, "parcels": parcels, "replaces": self.replaces}).encode()


def prefix_of(batch: str, job: str | None) -> str:
    """What the names of a job's records, or of a batch's, begin with."""
    return f"{PREFIX}{batch}/{job or BATCH}/"


def decoded(name: str, data: bytes) -> Record:
    """A record as it was stored.

    Raises:
        ValueError: somebody else wrote it.
    """
    try:
        _, batch, job, mark = name.removesuffix(".json").split("/")
        document = json.loads(data)
        found, replaces = document["parcels"], document.get("replaces")
        parcels = None if found is None else tuple(_parcel(fields) for fields in found)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"is no record of this version: {error!r}") from error
    return Record(batch, None if job == BATCH else job, mark, parcels, replaces)


def _parcel(fields: dict[str, Any]) -> Parcel:
    return Parcel(**{**fields, "destination": Destination.model_validate(fields["destination"])})


async def leave(store: Keeps, container: str, record: Record) -> None:
    """Keep a record, before its commit, for a worker to send; done too when it is there."""
    try:
        await store.create(f"{container}/{record.name}", record.encoded())
    except AlreadyCommitted:
        return  # this very write, whose first answer was lost: the name is the attempt's own
