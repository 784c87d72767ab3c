"""What a job left, put where the jobs after it may read it: in their messages, or in the inputs' container.

The results' container is none that jobs may read from, and need not be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.chain_names import handed_blob, message_id
from worker.ended import Output
from worker.faults import BlobMissing, BlobTooLarge
from worker.fitting import BYTES, INPUTS, JSON, MAX_MESSAGE_BYTES, encoded, fitted
from worker.steps import COLLECTED, with_sources
from worker.strict_json import decode_json
from worker.together import together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.expansion import Child
    from worker.fitting import Part
    from worker.result import Result
    from worker.shelf import Shelf

MOST_JSON_BYTES = 1 << 20
MOST_INLINE_BYTES = 16 << 10
MOST_HANDED_BYTES = 64 << 20
MESSAGES_BYTES = 16 << 20  # what the messages of a fan-out are to have together, as far as blobs can help
LEAST_MESSAGE_BYTES = 4 << 10
_BY_EXTENSION = (".mjs", ".cjs")  # node goes by the extension, which only a blob keeps


async def read_output(shelf: Shelf, result: Result) -> Output:
    """What the job wrote; its value is None where that is no JSON, too long, or not there any more."""
    stdout = result.stdout
    text = stdout.text
    if stdout.blob:
        if stdout.bytes > MOST_JSON_BYTES:
            return Output(stdout.text)
        try:
            text = (await shelf.read(stdout.blob, MOST_JSON_BYTES)).decode()
        except (BlobMissing, BlobTooLarge, UnicodeDecodeError):
            return Output(stdout.text)
    try:
        return Output(stdout.text, decode_json(text))
    except (ValueError, RecursionError):
        return Output(stdout.text)


class HandingOn:
    """The jobs after one job as messages, with what they take of it.

    Args:
        shelf: the blobs.
        result: of the job before.
        results: what a fan-out came to, as JSON, for the job that joins it.
    """

    def __init__(self, shelf: Shelf, result: Result, results: bytes = b"[]") -> None:
        self._shelf, self._result, self._results = shelf, result, results
        self._places: dict[str, dict[str, str]] = {}
        self._kept: dict[str, str] = {}

    async def messages(self, children: Sequence[Child]) -> list[tuple[str, bytes]]:
        """The id and the body of each job's first message. Written again, all is the same."""
        missing: dict[str, str] = {}
        for source in sorted({source for child in children for source in child.sources}):
            try:
                self._places[source] = await self._place(source)
            except (BlobMissing, BlobTooLarge) as error:
                missing[source] = str(error)
        limit = min(MAX_MESSAGE_BYTES, max(LEAST_MESSAGE_BYTES, MESSAGES_BYTES // max(1, len(children))))
        whole = [_refused_for(child, missing) for child in children]
        return await together(lambda child: self._message(child, limit), whole)

    async def _message(self, child: Child, limit: int) -> tuple[str, bytes]:
        document = with_sources(child.document, self._places.__getitem__)
        body = encoded(await fitted(document, limit, self._upload))
        if len(body) > MAX_MESSAGE_BYTES:
            message = f"the job has {len(body)} bytes, and {MAX_MESSAGE_BYTES} are taken"
            instead = child.refused("message_too_large", message).document
            if len(body := encoded(instead)) > MAX_MESSAGE_BYTES:
                body = encoded({**instead, "then": []})
        return message_id(child.batch, child.id), body

    async def _place(self, source: str) -> dict[str, str]:
        """Where one output is to be read; small text travels in the message."""
        data, name = await self._content(source)
        if len(data) <= MOST_INLINE_BYTES and not name.endswith(_BY_EXTENSION):
            try:
                return {"inline": data.decode()}
            except UnicodeDecodeError:
                pass
        blob = self._blob(data, name)
        await self._keep(blob, data, JSON if name.endswith(".json") else BYTES)
        return {"blob": blob}

    async def _content(self, source: str) -> tuple[bytes, str]:
        if source == "results":
            return self._results, "results.json"
        if source == "result":
            return self._result.model_dump_json(exclude={"then"}).encode(), "result.json"
        if source == "stdout":
            stdout = self._result.stdout
            whole = await self._read(stdout.blob) if stdout.blob else stdout.text.encode()
            return whole, "stdout"
        path = source.removeprefix(COLLECTED)
        blob = next((file.blob for file in self._result.files if file.path == path), None)
        if blob is None:
            raise BlobMissing(f"the job before has left no {source}")
        return await self._read(blob), path

    async def _read(self, blob: str) -> bytes:
        return await self._shelf.read(blob, MOST_HANDED_BYTES)

    async def _upload(self, part: Part) -> tuple[str, str]:
        blob = self._blob(part.data, part.name)
        return blob, await self._keep(blob, part.data, part.content_type)

    async def _keep(self, blob: str, data: bytes, content_type: str) -> str:
        if blob not in self._kept:
            self._kept[blob] = await self._shelf.keep(blob, data, content_type)
        return self._kept[blob]

    def _blob(self, data: bytes, name: str) -> str:
        return f"{INPUTS}/{handed_blob(self._result.batch, self._result.id, data, name)}"


def _refused_for(child: Child, missing: dict[str, str]) -> Child:
    """The child, or what takes its place where something it needs is gone."""
    gone = [missing[source] for source in sorted(child.sources) if source in missing]
    return child.refused("input_missing", gone[0]) if gone else child
