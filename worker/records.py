"""A batch's records: JSON lines in append blobs, begun anew by each writer, and read as one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.batch import MAX_MANIFEST_BYTES
from worker.fitting import encoded
from worker.messages import Outgoing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from worker.batch import Folder, Queue, Store

BLOCK_BYTES = 4 << 20  # the most that one append takes
BLOB_BYTES = 64 << 20  # whoever reads a record has one blob of it in memory
_NUMBER = re.compile(r"-(\d{5,})\.jsonl$")


class Record:
    """Appends lines to blobs ``<prefix>NNNNN.jsonl``, beginning with one that is not there yet."""

    def __init__(self, store: Store, container: str, prefix: str) -> None:
        self._store, self._container, self._prefix = store, container, prefix
        self._number = 0
        self._bytes = 0

    async def add(self, lines: Iterable[bytes]) -> None:
        """Append lines in their order, in as few appends as they fit in; after an error a part may stand."""
        self._number = self._number or await self._first()
        for block in _blocks(lines):
            if self._bytes + len(block) > BLOB_BYTES:
                self._begin_next()
            while not await self._store.append(self._blob(), block):
                self._begin_next()
            self._bytes += len(block)

    async def _first(self) -> int:
        names = self._store.names(self._container, self._prefix)
        return 1 + max([_number(name) async for name in names], default=0)

    def _begin_next(self) -> None:
        self._number, self._bytes = self._number + 1, 0

    def _blob(self) -> str:
        return f"{self._container}/{self._prefix}{self._number:05}.jsonl"


class Records:
    """What a batch's messages are recorded in before they are sent, and after."""

    def __init__(self, store: Store, folder: Folder) -> None:
        self._store, self._folder = store, folder
        self._jobs = Record(store, folder.container, folder.jobs_prefix)
        self._sent = Record(store, folder.container, folder.sent_prefix)

    async def send(self, queue: Queue, messages: Mapping[str, Outgoing]) -> None:
        """Record messages by their jobs' ids, send them, and record that; after a crash lines may repeat."""
        await self._jobs.add(map(_job_line, messages.values()))
        await queue.send(list(messages.values()))
        await self._sent.add(json.dumps({"id": job_id}).encode() + b"\n" for job_id in messages)

    async def sent(self) -> set[str]:
        """The ids of the jobs that were sent."""
        return await recorded_ids(self._store, self._folder, self._folder.sent_prefix)

    async def jobs(self, wanted: Iterable[str]) -> AsyncIterator[list[Recorded]]:
        """The jobs wanted, each as it was recorded last, a blob's worth at a time."""
        missing = set(wanted)
        names = [name async for name in self._store.names(self._folder.container, self._folder.jobs_prefix)]
        for name in sorted(names, key=_number, reverse=True):
            lines = await _lines(self._store, self._folder, name)
            last = {line["job"]["id"]: line for line in lines if line["job"]["id"] in missing}
            missing -= last.keys()
            yield [self._recorded(line) for line in last.values()]

    def _recorded(self, line: dict[str, Any]) -> Recorded:
        """The number of the repair stands behind what the id of a job's first message is."""
        job = line["job"]
        first_id = f"{self._folder.batch}/{job['id']}"
        number = re.fullmatch(r"\.s(\d{1,9})", line["message_id"].removeprefix(first_id))
        return Recorded(job["id"], encoded(job), first_id, int(number[1]) if number else 0)


@dataclass(frozen=True)
class Recorded:
    """A job as it was sent, or about to be.

    Attributes:
        first_id: the id of its first message.
        repairs: how often it was sent again to repair its batch.
    """

    id: str
    body: bytes
    first_id: str
    repairs: int

    def again(self) -> Outgoing:
        """The message that sends it again; with a former id duplicate detection could swallow it."""
        return Outgoing(body=self.body, message_id=f"{self.first_id}.s{self.repairs + 1}")


async def recorded_ids(store: Store, folder: Folder, prefix: str) -> set[str]:
    """The ids that lines of the records of one kind have."""
    names = [name async for name in store.names(folder.container, prefix)]
    return {line["id"] for name in names for line in await _lines(store, folder, name)}


async def _lines(store: Store, folder: Folder, name: str) -> Iterator[dict[str, Any]]:
    content = await store.read(f"{folder.container}/{name}", limit=MAX_MANIFEST_BYTES)
    return map(json.loads, content.data.splitlines())


def _job_line(message: Outgoing) -> bytes:
    return b'{"message_id":%b,"job":%b}\n' % (json.dumps(message.message_id).encode(), message.body)


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    block: list[bytes] = []
    size = 0
    for line in lines:
        if block and size + len(line) > BLOCK_BYTES:
            yield b"".join(block)
            block, size = [], 0
        block.append(line)
        size += len(line)
    if block:
        yield b"".join(block)


def _number(name: str) -> int:
    number = _NUMBER.search(name)
    return int(number[1]) if number else 0
