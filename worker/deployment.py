"""What all workers of a deployment share: the secret behind session identifiers."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from worker.faults import AlreadyCommitted, BlobMissing
from worker.inputs import Reads

if TYPE_CHECKING:
    from worker.settings import WorkerSettings

SECRET_BYTES = 64


class Store(Reads, Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def create(self, blob: str, data: bytes, *, content_type: str) -> str: ...  # noqa: D102


async def session_secret(settings: WorkerSettings, blobs: Store) -> bytes:
    """As set, else kept beside the results, by the worker that is first."""
    if settings.session_secret:
        return settings.session_secret.get_secret_value().encode()
    blob = f"{settings.results_container}/_deployment/session-secret"
    try:
        return (await blobs.read(blob, limit=SECRET_BYTES)).data
    except BlobMissing:
        with suppress(AlreadyCommitted):  # another worker was first
            await blobs.create(blob, secrets.token_hex(SECRET_BYTES // 2).encode(), content_type="text/plain")
        return (await blobs.read(blob, limit=SECRET_BYTES)).data
