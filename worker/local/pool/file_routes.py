"""The data plane's operations on files."""

import os
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from worker.local.faults import PoolFaults
from worker.local.pool.errors import ServiceError
from worker.local.pool.files import SessionFiles, checked_name, not_found
from worker.local.pool.requests import FLAT_VERSIONS, checked_identifier
from worker.local.pool.routes import PREFIX, require_version
from worker.local.pool.sessions import Sessions
from worker.local.switches import Switches

CHUNK_BYTES = 256 * 1024


class FileRoutes:
    """Handlers for `/files`. As on the platform, any of them allocates a session for a new identifier."""

    def __init__(self, sessions: Sessions, faults: Switches[PoolFaults], upload_bytes: int) -> None:
        self._sessions, self._faults, self._upload_bytes = sessions, faults, upload_bytes

    def table(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post(f"{PREFIX}/files", self.upload),
            web.get(f"{PREFIX}/files", self.list, allow_head=False),
            web.get(f"{PREFIX}/files/{{name}}", self.show, allow_head=False),
            web.get(f"{PREFIX}/files/{{name}}/content", self.download, allow_head=False),
            web.delete(f"{PREFIX}/files/{{name}}", self.delete),
        ]

    async def upload(self, request: web.Request) -> web.Response:
        """Store the multipart field `file` under its file name."""
        identifier = _identifier(request)
        async with self._sessions.use(identifier) as allocation:
            part = await _file_part(request)
            name = checked_name(part.filename or "")
            described = await self._store(allocation.session.files, name, part)
        return web.json_response(described)

    async def list(self, request: web.Request) -> web.Response:
        """Describe the files."""
        async with self._sessions.use(_identifier(request)) as allocation:
            return web.json_response({"value": allocation.session.files.list()})

    async def show(self, request: web.Request) -> web.Response:
        """Describe one file."""
        async with self._sessions.use(_identifier(request)) as allocation:
            return web.json_response(allocation.session.files.describe(_name(request)))

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Send a file's content as it is."""
        async with self._sessions.use(_identifier(request)) as allocation:
            fd, size = allocation.session.files.open(_name(request))
            try:
                end = size // 2 if self._faults.happens("half_body_rate") else size
                return await _stream(request, fd, size, end)
            finally:
                os.close(fd)

    async def delete(self, request: web.Request) -> web.Response:
        """Remove a file."""
        async with self._sessions.use(_identifier(request)) as allocation:
            allocation.session.files.delete(_name(request))
        return web.Response(status=204)

    async def _store(self, files: SessionFiles, name: str, part: BodyPartReader) -> dict[str, Any]:
        try:
            with files.replacing(name) as fd:
                size = 0
                while chunk := await part.read_chunk(CHUNK_BYTES):
                    size += len(chunk)
                    if size > self._upload_bytes:
                        raise ServiceError(
                            413, "FileTooLarge", f"A file may have {self._upload_bytes} bytes."
                        )
                    _write(fd, chunk)
        except IsADirectoryError as error:
            raise ServiceError(400, "FilePathInvalid", f"'{name}' is a directory.") from error
        except OSError as error:
            raise ServiceError(507, "StorageFull", "The session has no room for the file.") from error
        return files.describe(name)


async def _file_part(request: web.Request) -> BodyPartReader:
    if not request.content_type.startswith("multipart/"):
        raise ServiceError(400, "MultipartBodyMissing", "The body must be multipart/form-data.")
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if isinstance(part, BodyPartReader) and part.name == "file":
                return part
    except (ValueError, HttpProcessingError) as error:
        raise ServiceError(
            400, "MultipartBodyInvalid", "The body is not valid multipart/form-data."
        ) from error
    raise ServiceError(400, "MultipartFileMissing", "The field `file` is missing.")


async def _stream(request: web.Request, fd: int, size: int, end: int) -> web.StreamResponse:
    """Tell `size` bytes and send `end` of them; what is cut, as a file that shrinks is, its length tells."""
    response = web.StreamResponse(
        headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    )
    await response.prepare(request)
    sent = 0
    while sent < end and (chunk := os.read(fd, min(CHUNK_BYTES, end - sent))):
        await response.write(chunk)
        sent += len(chunk)
    if sent < size and request.transport is not None:
        request.transport.close()
    return response


def _write(fd: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(fd, view) :]


def _identifier(request: web.Request) -> str:
    require_version(request, FLAT_VERSIONS)
    return checked_identifier(request.query.get("identifier"))


def _name(request: web.Request) -> str:
    name = request.match_info["name"]
    if not name:
        raise not_found(name)
    return checked_name(name)
