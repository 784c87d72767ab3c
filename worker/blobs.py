"""Adapter over the asyncio client of Azure Blob storage; callers see only the faults of ``worker.faults``."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import BlobLeaseClient, BlobPrefix, BlobServiceClient

from worker.blob_faults import code_of, mapped, mapped_lease
from worker.blob_lists import each
from worker.faults import (
    AlreadyCommitted,
    BlobChanged,
    BlobMissing,
    BlobTooLarge,
    InfrastructureFault,
)
from worker.inputs import Content
from worker.observing import SILENT, Call
from worker.permit_leases import LeasedBlob
from worker.settings import unusable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from datetime import datetime

    from azure.core.credentials_async import AsyncTokenCredential
    from azure.storage.blob.aio import BlobClient, ContainerClient

    from worker.observing import Observer
    from worker.settings import ClientSettings

JSON = "application/json"
PIECE_BYTES = 1 << 20  # what one request carries, and so what a large blob costs in memory


class Blobs:
    """Blobs by ``container/name``.

    Every method raises ``CapacityFault``, ``InfrastructureFault`` or ``ConfigurationFault`` when the service
    does not do its part, after the SDK's own retries.
    """

    def __init__(self, service: BlobServiceClient, observer: Observer = SILENT) -> None:
        self._service, self._observer = service, observer
        self._containers: dict[str, ContainerClient] = {}

    async def read(self, blob: str, *, limit: int, etag: str | None = None) -> Content:
        """The whole blob, as stored (never decompressed).

        Args:
            blob: ``container/name``.
            limit: the most bytes taken.
            etag: the version wanted; any when None.

        Raises:
            BlobMissing: there is none of that name.
            BlobTooLarge: it has more than ``limit`` bytes.
            BlobChanged: it has another ETag than the one wanted.
        """
        match: dict[str, Any] = (
            {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        )
        with self._call("read", blob):
            try:
                # no range of ours: asked for one, the service refuses an empty blob, and the SDK leaves it so
                stream = await self._client(blob).download_blob(decompress=False, **match)
            except ResourceModifiedError as error:
                raise BlobChanged(blob) from error
            if stream.properties.size > limit:
                raise BlobTooLarge(f"{blob} has {stream.properties.size} bytes; {limit} are taken")
            data = await stream.readall()
        if len(data) != stream.properties.size:
            raise InfrastructureFault(f"{blob} was cut: {len(data)} of {stream.properties.size} bytes came")
        return Content(data, stream.properties.etag)

    async def create(
        self, blob: str, data: bytes, *, metadata: dict[str, str] | None = None, content_type: str = JSON
    ) -> str:
        """Write a blob that does not exist yet; returns its ETag.

        Raises:
            AlreadyCommitted: there is one of that name - perhaps this very write's, whose answer was lost.
        """
        return await self._upload(blob, data, content_type, metadata=metadata, overwrite=False)

    async def put(
        self,
        blob: str,
        data: bytes | AsyncIterator[bytes],
        *,
        if_match: str | None = None,
        metadata: dict[str, str] | None = None,
        content_type: str = JSON,
    ) -> str:
        """Write a blob, over what is there; returns its ETag.

        Raises:
            AlreadyCommitted: ``if_match`` was given and the blob has another ETag.
        """
        match: dict[str, Any] = (
            {"etag": if_match, "match_condition": MatchConditions.IfNotModified} if if_match else {}
        )
        return await self._upload(blob, data, content_type, metadata=metadata, overwrite=True, **match)

    async def append(self, blob: str, data: bytes) -> bool:
        """Append to an append blob, made if missing; False when it takes no more blocks."""
        client = self._client(blob)
        with self._call("append", blob, writing=True):
            try:
                await client.append_block(data)
            except ResourceNotFoundError:
                await self._create_append_blob(client)
                await client.append_block(data)
            except HttpResponseError as error:
                if code_of(error) == "BlockCountExceedsLimit":
                    return False
                raise
        return True

    async def metadata(self, blob: str) -> dict[str, str]:
        """The blob's own metadata; raises ``BlobMissing``."""
        with self._call("metadata", blob):
            properties = await self._client(blob).get_blob_properties()
        return dict(properties.metadata or {})

    async def names(self, container: str, prefix: str) -> AsyncIterator[str]:
        """The names, in order, of a container's blobs that begin with a prefix."""
        with self._call("list", container):
            found = self._service.get_container_client(container).list_blob_names(name_starts_with=prefix)
            async for name in each(found):
                if not name:
                    raise InfrastructureFault(f"Blob storage's list of {container} has a blob without a name")
                yield name

    async def folders(self, container: str) -> list[str]:
        """What stands before the first ``/`` in the names of a container's blobs, each once and in order."""
        with self._call("list", container):
            found = self._service.get_container_client(container).walk_blobs(delimiter="/")
            return [one.name.rstrip("/") async for one in each(found) if isinstance(one, BlobPrefix)]

    async def created(self, container: str, prefix: str) -> dict[str, datetime]:
        """When the blobs were created whose names begin with a prefix, by their names."""
        with self._call("list", container):
            blobs = self._service.get_container_client(container).list_blobs(name_starts_with=prefix)
            return {blob.name: blob.creation_time async for blob in each(blobs)}

    async def older(self, container: str, prefix: str, than: datetime) -> list[str]:
        """The names of those that were last written before a time."""
        with self._call("list", container):
            blobs = self._service.get_container_client(container).list_blobs(name_starts_with=prefix)
            return [blob.name async for blob in each(blobs) if blob.last_modified < than]

    async def delete(self, blob: str) -> None:
        """Delete a blob; done too when there is none."""
        with suppress(BlobMissing), self._call("delete", blob):
            await self._client(blob).delete_blob()

    async def leased(self, container: str, prefix: str) -> list[LeasedBlob]:
        """The container's blobs that begin with a prefix, with their metadata and whether they are leased."""
        with self._call("list", f"{container}/{prefix}", writing=True):
            listing = self._service.get_container_client(container).list_blobs(
                name_starts_with=prefix, include=["metadata"]
            )
            return [
                LeasedBlob(found.name, found.lease.status == "locked", dict(found.metadata or {}))
                async for found in each(listing)
            ]

    async def acquire_lease(self, blob: str, lease: str, seconds: int) -> None:
        """Lease a blob under an id of the caller's; asked again with the same id, the lease begins anew.

        Raises:
            LeaseHeld: another has it.
            BlobMissing: there is no such blob.
        """
        with self._call("lease", blob), mapped_lease(blob):
            await self._lease(blob, lease).acquire(lease_duration=seconds)

    async def renew_lease(self, blob: str, lease: str) -> None:
        """Let a lease begin anew; raises ``LeaseHeld`` when another has it or had it since."""
        with self._call("lease", blob), mapped_lease(blob):
            await self._lease(blob, lease).renew()

    async def mark_leased(self, blob: str, lease: str, metadata: dict[str, str]) -> None:
        """Write a blob's whole metadata while the caller's lease lasts; raises ``LeaseHeld`` after it."""
        with self._call("lease", blob), mapped_lease(blob):
            await self._client(blob).set_blob_metadata(metadata, lease=lease)

    async def release_lease(self, blob: str, lease: str) -> None:
        """End a lease at once; raises ``LeaseHeld`` when it was the caller's no more."""
        with self._call("lease", blob), mapped_lease(blob):
            await self._lease(blob, lease).release()

    def _lease(self, blob: str, lease: str) -> BlobLeaseClient:
        return BlobLeaseClient(self._client(blob), lease_id=lease)

    async def _upload(
        self,
        blob: str,
        data: bytes | AsyncIterator[bytes],
        content_type: str,
        **options: Any,  # noqa: ANN401 - the SDK's
    ) -> str:
        settings = ContentSettings(content_type=content_type, content_disposition="attachment")
        with self._call("write", blob, writing=True):
            try:
                answer = await self._client(blob).upload_blob(data, content_settings=settings, **options)
            except (ResourceExistsError, ResourceModifiedError) as error:
                raise AlreadyCommitted(blob) from error
        return str(answer["etag"])

    @staticmethod
    async def _create_append_blob(client: BlobClient) -> None:
        settings = ContentSettings(content_type="application/x-ndjson", content_disposition="attachment")
        try:
            await client.create_append_blob(settings, match_condition=MatchConditions.IfMissing)
        except ResourceExistsError:
            return  # another worker was first

    @contextmanager
    def _call(self, operation: str, blob: str, *, writing: bool = False) -> Iterator[None]:
        with Call(self._observer, "blob", operation, "storage"), mapped(blob, writing=writing):
            yield

    def _client(self, blob: str) -> BlobClient:
        container, _, name = blob.partition("/")
        client = self._containers.get(container)
        if client is None:
            client = self._containers[container] = self._service.get_container_client(container)
        return client.get_blob_client(name)


@asynccontextmanager
async def open_blobs(
    settings: ClientSettings, credential: AsyncTokenCredential | None, observer: Observer = SILENT
) -> AsyncIterator[Blobs]:
    """Connect to the storage account of the settings: by connection string, else with the credential.

    Raises:
        SettingsError: the connection string is none.
    """
    options: dict[str, Any] = {
        "retry_total": 4,
        "initial_backoff": 1,
        "increment_base": 2,
        "connection_timeout": 10,
        "read_timeout": 60,
        "use_env_settings": bool(getproxies()),  # else each request looks for proxies, in a thread: 0.5 ms
        "max_single_get_size": PIECE_BYTES,
        "max_chunk_get_size": PIECE_BYTES,
        "max_single_put_size": PIECE_BYTES,
        "max_block_size": PIECE_BYTES,
    }
    secret = settings.storage_connection_string
    if secret:
        try:
            service = BlobServiceClient.from_connection_string(secret.get_secret_value(), **options)
        except ValueError as error:
            raise unusable("STORAGE_CONNECTION_STRING", error) from error
    else:
        service = BlobServiceClient(settings.storage_account_url or "", credential, **options)
    async with service:
        yield Blobs(service, observer)
