"""Which jobs were executed when: read along at the relay before the pool."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from tests.chaos.records import Execution

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_EXECUTION = re.compile(rb"POST [^ ?]*/executions\?")
_MARK = re.compile(rb"mark-([A-Za-z0-9]+)-end")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


class Journal:
    """The executions of all connections."""

    def __init__(self) -> None:
        self._executions: list[Execution] = []

    def began(self, job: str) -> int:
        """Note an execution; its number."""
        self._executions.append(Execution(job, time.monotonic()))
        return len(self._executions) - 1

    def ended(self, number: int, status: int | None) -> None:
        """Note what was answered first."""
        self._executions[number] = replace(self._executions[number], ended=time.monotonic(), status=status)

    def all(self) -> tuple[Execution, ...]:
        """What there was so far."""
        return tuple(self._executions)

    def watch(self) -> Requests:
        """A reader for one connection."""
        return Requests(self)


class Requests:
    """The requests of one connection, one after the other: no client of ours pipelines."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._request = b""
        self._running: int | None = None

    @property
    def waiting(self) -> bool:
        """Whether an execution is under way."""
        return self._running is not None

    def sent(self, data: bytes) -> None:
        """Take a part of a request in; one that is whole begins."""
        self._request += data
        head, end, body = self._request.partition(_HEAD_END)
        length = _LENGTH.search(head)
        if not end or len(body) < (int(length[1]) if length else 0):
            return
        marks = _MARK.search(body) if _EXECUTION.match(head) else None
        self._request = b""
        if marks:
            self._running = self._journal.began(marks[1].decode())

    def answered(self, data: bytes) -> None:
        """Take the beginning of an answer in."""
        if self._running is not None:
            status = _STATUS.match(data)
            self._journal.ended(self._running, int(status[1]) if status else None)
            self._running = None

    def ended(self) -> None:
        """The connection broke."""
        if self._running is not None:
            self._journal.ended(self._running, None)
            self._running = None
