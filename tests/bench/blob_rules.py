"""What a Blob account does, without the wire: containers, conditional writes, append and block blobs."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

MAX_APPENDS = 50_000


class Refused(Exception):
    """The account refuses the call, with an HTTP status and the code of ``x-ms-error-code``."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass
class Blob:
    """A committed blob. ``created`` is on the monotonic clock, ``modified`` in seconds since the epoch."""

    content: bytearray
    kind: str
    content_type: str
    etag: str
    metadata: dict[str, str]
    created: float = field(default_factory=time.monotonic)
    modified: float = field(default_factory=time.time)
    blocks: int = 0


Headers = dict[str, str]


class Store:
    """One account."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Blob]] = {}
        self._staged: dict[tuple[str, str], dict[str, bytes]] = {}
        self._versions = itertools.count(0x8DC000000000000)

    def create_container(self, container: str) -> None:
        if container in self.containers:
            raise Refused(409, "ContainerAlreadyExists")
        self.containers[container] = {}

    def delete_container(self, container: str) -> None:
        self.blobs(container)
        del self.containers[container]

    def blobs(self, container: str) -> dict[str, Blob]:
        if container not in self.containers:
            raise Refused(404, "ContainerNotFound")
        return self.containers[container]

    def put(self, container: str, name: str, content: bytes, headers: Headers, kind: str) -> Blob:
        blobs = self.blobs(container)
        _check_write(blobs.get(name), headers)
        blobs[name] = Blob(
            bytearray(content),
            kind,
            headers.get("x-ms-blob-content-type", "application/octet-stream"),
            self._etag(),
            {key[10:]: value for key, value in headers.items() if key.startswith("x-ms-meta-")},
        )
        return blobs[name]

    def append(self, container: str, name: str, content: bytes, headers: Headers) -> tuple[Blob, int]:
        """Append a block; returns the blob and the offset at which the block begins."""
        blob = self._existing(container, name)
        if blob.kind != "AppendBlob":
            raise Refused(409, "InvalidBlobType")
        _check_write(blob, headers)
        offset = len(blob.content)
        _check_append(blob, offset, len(content), headers)
        blob.content += content
        blob.blocks += 1
        blob.etag, blob.modified = self._etag(), time.time()
        return blob, offset

    def stage(self, container: str, name: str, block: str, content: bytes) -> None:
        self.blobs(container)
        self._staged.setdefault((container, name), {})[block] = content

    def commit(self, container: str, name: str, blocks: list[str], headers: Headers) -> Blob:
        staged = self._staged.get((container, name), {})
        if any(block not in staged for block in blocks):
            raise Refused(400, "InvalidBlockList")
        blob = self.put(container, name, b"".join(staged[b] for b in blocks), headers, "BlockBlob")
        self._staged.pop((container, name), None)
        return blob

    def get(self, container: str, name: str, headers: Headers) -> Blob:
        blob = self._existing(container, name)
        if headers.get("if-match", blob.etag) not in (blob.etag, "*"):
            raise Refused(412, "ConditionNotMet")
        if headers.get("if-none-match") in (blob.etag, "*"):
            raise Refused(304, "ConditionNotMet")
        return blob

    def delete(self, container: str, name: str, headers: Headers) -> None:
        _check_write(self._existing(container, name), headers)
        del self.containers[container][name]

    def page(
        self, container: str, prefix: str, marker: str, limit: int
    ) -> tuple[list[tuple[str, Blob]], str]:
        """Blobs in order from the marker on, and the marker of what is left (empty at the end)."""
        blobs = self.blobs(container)
        names = sorted(name for name in blobs if name.startswith(prefix) and name >= marker)
        following = names[limit] if len(names) > limit else ""
        return [(name, blobs[name]) for name in names[:limit]], following

    def _existing(self, container: str, name: str) -> Blob:
        blob = self.blobs(container).get(name)
        if blob is None:
            raise Refused(404, "BlobNotFound")
        return blob

    def _etag(self) -> str:
        return f'"0x{next(self._versions):X}"'


def _check_write(blob: Blob | None, headers: Headers) -> None:
    none_match, match = headers.get("if-none-match"), headers.get("if-match")
    if none_match == "*" and blob:
        raise Refused(409, "BlobAlreadyExists")
    if blob and none_match == blob.etag:
        raise Refused(412, "ConditionNotMet")
    if match and (blob is None or match not in (blob.etag, "*")):
        raise Refused(412, "ConditionNotMet")


def _check_append(blob: Blob, offset: int, length: int, headers: Headers) -> None:
    if int(headers.get("x-ms-blob-condition-appendpos", offset)) != offset:
        raise Refused(412, "AppendPositionConditionNotMet")
    if offset + length > int(headers.get("x-ms-blob-condition-maxsize", offset + length)):
        raise Refused(412, "MaxBlobSizeConditionNotMet")
    if blob.blocks >= MAX_APPENDS:
        raise Refused(409, "BlockCountExceedsLimit")
