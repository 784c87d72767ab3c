"""A light Blob store over the wire protocol of the unmodified SDK: in memory, one account, no signatures.

In a test: ``async with LightBlobs() as blobs: BlobServiceClient.from_connection_string(
blobs.connection_string)``. As a process: ``python -m tests.bench.light_blobs`` prints one JSON line with the
connection string and runs until its stdin closes; ``GET /stats?container&prefix&suffix`` counts blobs.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from email.utils import formatdate
from typing import Self
from urllib.parse import quote
from xml.sax.saxutils import escape

from tests.bench.blob_rules import Blob, Refused, Store
from tests.bench.http_server import Request, Response, Server, json_response, serve_until_stdin_closes

ACCOUNT = "devstoreaccount1"
_KEY = "bGlnaHQtYmxvYnMtdmVyaWZpZXMtbm8tc2lnbmF0dXJlcw=="
_VERSION = "2025-07-05"


class LightBlobs:
    """The store and its server, for as long as the context lasts."""

    def __init__(self, port: int = 0) -> None:
        self.store = Store()
        self._server = Server(self._answer, port)
        self._ids = itertools.count(1)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.__aexit__(*exc)

    @property
    def connection_string(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={_KEY};"
            f"BlobEndpoint={self._server.url}/{ACCOUNT};"
        )

    @property
    def url(self) -> str:
        return self._server.url

    def _answer(self, request: Request) -> Response:
        if request.path == "/stats":
            return json_response(self._count(**request.query))
        try:
            response = self._route(request)
        except Refused as refused:
            response = _refusal(refused)
        response.headers.update(
            {
                "x-ms-request-id": str(next(self._ids)),
                "x-ms-version": request.headers.get("x-ms-version", _VERSION),
                "Date": formatdate(usegmt=True),
            }
        )
        if client_id := request.headers.get("x-ms-client-request-id"):
            response.headers["x-ms-client-request-id"] = client_id
        return response

    def _count(self, container: str, prefix: str, suffix: str, containing: str = "") -> dict[str, float]:
        """How many blobs have such a name and text, and when the last was created, on the monotonic clock."""
        found = [
            blob.created
            for name, blob in self.store.containers.get(container, {}).items()
            if name.startswith(prefix) and name.endswith(suffix) and containing.encode() in blob.content
        ]
        return {"count": len(found), "last": max(found, default=0.0)}

    def _route(self, request: Request) -> Response:
        container, _, name = request.path.removeprefix(f"/{ACCOUNT}/").partition("/")
        if not name:
            return self._container(request, container)
        if request.method == "PUT":
            return self._put(request, container, name)
        if request.method == "DELETE":
            self.store.delete(container, name, request.headers)
            return Response(202)
        if request.method in ("GET", "HEAD"):
            return self._get(request, container, name)
        raise Refused(405, "UnsupportedHttpVerb")

    def _container(self, request: Request, container: str) -> Response:
        if request.method == "PUT":
            self.store.create_container(container)
            return Response(201, headers=_stamp(time.time()))
        if request.method == "DELETE":
            self.store.delete_container(container)
            return Response(202)
        if request.query.get("comp") == "list":
            return self._list(container, request.query)
        self.store.blobs(container)
        return Response(200, headers=_stamp(0))

    def _list(self, container: str, query: dict[str, str]) -> Response:
        prefix = query.get("prefix", "")
        page, marker = self.store.page(
            container, prefix, query.get("marker", ""), int(query.get("maxresults", 5000))
        )
        entries = "".join(_entry(name, blob) for name, blob in page)
        body = (
            f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="{container}">'
            f"<Prefix>{escape(prefix)}</Prefix><Blobs>{entries}</Blobs><NextMarker>{escape(marker)}</NextMarker></EnumerationResults>"
        )
        return Response(200, body.encode(), {"Content-Type": "application/xml"})

    def _put(self, request: Request, container: str, name: str) -> Response:
        headers, body = request.headers, request.body
        match request.query.get("comp"):
            case None:
                kind = headers.get("x-ms-blob-type", "BlockBlob")
                blob = self.store.put(container, name, body, headers, kind)
            case "appendblock":
                blob, offset = self.store.append(container, name, body, headers)
                return Response(201, headers=_written(blob) | {"x-ms-blob-append-offset": str(offset)})
            case "block":
                self.store.stage(container, name, request.query["blockid"], body)
                return Response(201)
            case "blocklist":
                ids = re.findall(rb"<(?:Latest|Uncommitted|Committed)>([^<]*)<", body)
                blob = self.store.commit(container, name, [i.decode() for i in ids], headers)
            case _:
                raise Refused(400, "UnsupportedQueryParameter")
        return Response(201, headers=_written(blob))

    def _get(self, request: Request, container: str, name: str) -> Response:
        blob = self.store.get(container, name, request.headers)
        content, headers = blob.content, _properties(blob)
        wanted = request.headers.get("x-ms-range") or request.headers.get("range")
        if request.method == "HEAD" or not wanted:
            return Response(200, bytes(content), headers)
        start, end = _bounds(wanted, len(content))
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        return Response(206, bytes(memoryview(content)[start:end]), headers)


def _bounds(wanted: str, size: int) -> tuple[int, int]:
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    if int(first) >= size:
        raise Refused(416, "InvalidRange")
    return int(first), min(int(last) + 1, size) if last else size


def _refusal(refused: Refused) -> Response:
    headers = {"x-ms-error-code": refused.code, "Content-Type": "application/xml"}
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{refused.code}</Code>'
        f"<Message>{refused.code}</Message></Error>"
    )
    return Response(refused.status, body.encode(), headers)


def _stamp(modified: float, etag: str = '"0x1"') -> dict[str, str]:
    return {"ETag": etag, "Last-Modified": formatdate(modified, usegmt=True)}


def _written(blob: Blob) -> dict[str, str]:
    headers = _stamp(blob.modified, blob.etag) | {"x-ms-request-server-encrypted": "true"}
    if blob.kind == "AppendBlob":
        headers["x-ms-blob-committed-block-count"] = str(blob.blocks)
    return headers


def _properties(blob: Blob) -> dict[str, str]:
    return (
        _stamp(blob.modified, blob.etag)
        | {f"x-ms-meta-{key}": value for key, value in blob.metadata.items()}
        | {
            "Content-Type": blob.content_type,
            "Accept-Ranges": "bytes",
            "x-ms-blob-type": blob.kind,
            "x-ms-creation-time": formatdate(blob.modified, usegmt=True),
        }
    )


def _entry(name: str, blob: Blob) -> str:
    return (
        f"<Blob><Name>{escape(name)}</Name><Properties>"
        f"<Last-Modified>{formatdate(blob.modified, usegmt=True)}</Last-Modified>"
        f"<Etag>{quote(blob.etag, safe='')}</Etag><Content-Length>{len(blob.content)}</Content-Length>"
        f"<Content-Type>{escape(blob.content_type)}</Content-Type><BlobType>{blob.kind}</BlobType>"
        "</Properties></Blob>"
    )


async def _main() -> None:
    blobs = LightBlobs()
    async with blobs:
        ready = {"connection_string": blobs.connection_string, "url": blobs.url}
        await serve_until_stdin_closes(ready)


if __name__ == "__main__":
    asyncio.run(_main())
