"""Checks that the results container keeps what the commit relies on; all under ``_doctor/``, all removed."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceModifiedError
from azure.storage.blob.aio import BlobLeaseClient

from worker.blob_faults import code_of
from worker.doctor.check import Check
from worker.doctor.finding import Finding
from worker.doctor.storage import results_container
from worker.doctor.storage_account import container_of
from worker.faults import ConfigurationFault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.storage.blob.aio import BlobClient

    from worker.doctor.context import Context

PREFIX = "_doctor/"
LEASE_SECONDS = 15
REMOVAL_SECONDS = 10.0
_CONFLICTS = frozenset({409, 412})
_LEASED = "LeaseIdMissing"
_NOT_BLOB_STORAGE = (
    "Use a storage account of Azure (general purpose v2) itself: whatever stands in between or in its place "
    "ignores conditions, so two workers could commit one job"
)


async def results_writable(context: Context) -> list[Finding]:
    """Write a blob, read it back, and delete it."""
    clock = asyncio.get_running_loop().time
    async with scratch(context) as blob:
        begin = clock()
        await blob.upload_blob(b"jsworker doctor", overwrite=True)
        seconds = clock() - begin
        data = await (await blob.download_blob()).readall()
    if data != b"jsworker doctor":
        return [_failed("results-writable", "a blob does not come back as it was written")]
    facts = {"write_seconds": round(seconds, 3)}
    message = f"a blob can be written, read and deleted; a write takes {seconds * 1000:.0f} ms"
    return [Finding("results-writable", "storage", "ok", message, facts=facts)]


async def create_once(context: Context) -> list[Finding]:
    """See that a blob that must not exist yet is created once, as the commit of a result is."""
    async with scratch(context) as blob:
        await blob.upload_blob(b"first", overwrite=False)
        try:
            await blob.upload_blob(b"second", overwrite=False)
        except ResourceExistsError as error:
            message = f"a blob is created once; the second time is refused ({error.status_code})"
            return [Finding("create-once", "storage", "ok", message)]
    return [
        _failed("create-once", "a blob that must not exist yet is written over (If-None-Match is ignored)")
    ]


async def replace_by_etag(context: Context) -> list[Finding]:
    """See that a blob is replaced only in the version that was asked for, as a replay's result is."""
    async with scratch(context) as blob:
        first = (await blob.upload_blob(b"first", overwrite=True))["etag"]
        match = {"etag": first, "match_condition": MatchConditions.IfNotModified}
        await blob.upload_blob(b"second", overwrite=True, **match)
        try:
            await blob.upload_blob(b"third", overwrite=True, **match)
        except ResourceModifiedError:
            return [Finding("replace-by-etag", "storage", "ok", "a blob is replaced only by its ETag")]
    return [_failed("replace-by-etag", "a blob is replaced though its ETag is another (If-Match is ignored)")]


async def append_blob(context: Context) -> list[Finding]:
    """See that lines are appended, as those of a batch's progress are."""
    async with scratch(context) as blob:
        await blob.create_append_blob()
        for line in (b"one\n", b"two\n"):
            await blob.append_block(line)
        data = await (await blob.download_blob()).readall()
    if data != b"one\ntwo\n":
        return [_failed("append-blob", "what is appended to a blob does not come back as it was written")]
    return [Finding("append-blob", "storage", "ok", "lines can be appended to a blob")]


async def lease(context: Context) -> list[Finding]:
    """See that a blob is leased to one at a time, if permits are leases."""
    if not context.settings.permit_leases:
        return []
    async with scratch(context) as blob:
        await blob.upload_blob(b"", overwrite=True)
        await BlobLeaseClient(blob).acquire(lease_duration=LEASE_SECONDS)
        try:
            await BlobLeaseClient(blob).acquire(lease_duration=LEASE_SECONDS)
        except HttpResponseError as error:
            if error.status_code in _CONFLICTS:
                return [Finding("lease", "storage", "ok", f"a blob is leased to one ({code_of(error)})")]
            raise
    return [_failed("lease", "a blob that is leased is leased again: two workers could hold one permit")]


@asynccontextmanager
async def scratch(context: Context) -> AsyncIterator[BlobClient]:
    """A blob of a name that nobody else uses; removed at the end, whatever happens.

    Raises:
        ServiceFault: of the storage account; that the blob could not be removed is one, too.
    """
    async with container_of(context, context.settings.results_container) as container:
        blob = container.get_blob_client(f"{PREFIX}{secrets.token_hex(8)}")
        try:
            yield blob
        except BaseException:
            with suppress(AzureError, TimeoutError, ConfigurationFault):
                await _remove(blob)
            raise
        await _remove(blob)


async def _remove(blob: BlobClient) -> None:
    async with asyncio.timeout(REMOVAL_SECONDS):
        try:
            await blob.delete_blob()
        except HttpResponseError as error:
            if error.status_code not in _CONFLICTS:
                raise
            if code_of(error) != _LEASED:
                raise _kept(blob, code_of(error)) from error
            await BlobLeaseClient(blob).break_lease(lease_break_period=0)  # of a check that was broken off
            await blob.delete_blob()


def _kept(blob: BlobClient, code: str) -> ConfigurationFault:
    return ConfigurationFault(
        f"the blob {blob.blob_name} was written and cannot be deleted ({code})",
        f"Take the immutability policy or legal hold off the container {blob.container_name}, where the "
        "worker deletes and replaces blobs, too; then delete the blob",
    )


def _failed(check: str, message: str) -> Finding:
    return Finding(check, "storage", "failed", message, _NOT_BLOB_STORAGE)


CHECKS = (
    Check(results_writable, "storage", needs=(results_container,), seconds=60),
    Check(create_once, "storage", needs=(results_writable,), seconds=30),
    Check(replace_by_etag, "storage", needs=(results_writable,), seconds=30),
    Check(append_blob, "storage", needs=(results_writable,), seconds=30),
    Check(lease, "storage", needs=(results_writable,), seconds=30),
)
