"""Jobs that fit a message: their large parts are put into blobs instead, as many as it takes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

MAX_MESSAGE_BYTES = 180 << 10  # of the 256 KB that the service takes, since a retry carries its history along
INPUTS = "inputs"  # the container of cases files, and of parts that a message has no room for
LEAST_BYTES = 300  # of a part that makes room: a reference is about as long
JAVASCRIPT = "text/javascript"
JSON = "application/json"
BYTES = "application/octet-stream"


@dataclass(frozen=True)
class Part:
    """A part of a job that a blob may hold instead: where it is in the document, and its bytes."""

    name: str
    field: str
    index: int | None
    data: bytes
    content_type: str = BYTES

    def replaced(self, document: dict[str, Any], blob: str, etag: str) -> dict[str, Any]:
        """The document with a reference in this part's place."""
        if self.index is not None:
            files = list(document["files"])
            files[self.index] = {"path": files[self.index]["path"], "blob": blob}
            return {**document, "files": files}
        if self.field != "code":
            return {**document, self.field: {"blob": blob}}
        kept = {name: value for name, value in document["code"].items() if name != "inline"}
        return {**document, "code": {**kept, "blob": blob, "etag": etag}}


def _parts(document: Mapping[str, Any]) -> list[Part]:
    """The parts that may be moved; of a document that is no valid job, those that are well-formed."""
    parts = []
    match document.get("code"):
        case {"inline": str(text), **rest} if not rest.keys() - {"path"}:
            parts.append(Part("code.js", "code", None, text.encode(), JAVASCRIPT))
    match document.get("stdin"):
        case str(text):
            parts.append(Part("stdin", "stdin", None, text.encode()))
    match document.get("cases"):
        case list(cases):
            whole = {"version": 1, "cases": cases}
            parts.append(Part("cases.json", "cases", None, encoded(whole), JSON))
    match document.get("files"):
        case list(files):
            parts += [Part(f"file-{index}", "files", index, data) for index, data in _inline_files(files)]
    return parts


def _inline_files(files: list[Any]) -> Iterable[tuple[int, bytes]]:
    for index, file in enumerate(files):
        match file:
            case {"path": str(), "inline": str(text), **rest} if not rest:
                yield index, text.encode()


def encoded(document: Mapping[str, Any]) -> bytes:
    """A job as the body of a message."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


async def fitted(
    document: dict[str, Any], limit: int, upload: Callable[[Part], Awaitable[tuple[str, str]]]
) -> dict[str, Any]:
    """The job with as many of its large parts in blobs as it takes to have ``limit`` bytes, or all of them.

    Args:
        document: a job.
        limit: of the encoded job, in bytes; it may have more nevertheless.
        upload: puts a part into a blob; returns the blob's name, with its container, and its ETag.
    """
    for part in sorted(_parts(document), key=lambda part: len(part.data), reverse=True):
        if len(encoded(document)) <= limit or len(part.data) < LEAST_BYTES:
            break
        document = part.replaced(document, *await upload(part))
    return document
