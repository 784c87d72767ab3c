"""The kernel's side of the conversation: lines of JSON, whatever their length, in bounded memory."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TAIL_BYTES = 64
_STREAM = re.compile(rb'\{(?:"id":\d+,)?"(stdout|stderr)":"')
_RESULT = re.compile(rb'"text/plain":"')
_ERROR = re.compile(rb'"evalue":"')
_LONGEST_ESCAPE = len("\\ud83d\\ude00")


@dataclass(frozen=True, slots=True)
class Line:
    """A line; `tail` is set, with its last bytes, when the middle was dropped."""

    head: bytes
    tail: bytes | None = None


class LineBuffer:
    """Cuts a byte stream into lines and keeps at most `limit` bytes of each."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._head = bytearray()
        self._tail = b""

    def feed(self, data: bytes) -> Iterator[Line]:
        """Take bytes in; yield the lines that they complete."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._extend(end)
            yield self._finish()
        self._extend(rest)

    def _extend(self, piece: bytes) -> None:
        room = max(0, self.limit - len(self._head))
        self._head += piece[:room]
        if len(piece) > room:
            self._tail = (self._tail + piece[room:][-TAIL_BYTES:])[-TAIL_BYTES:]

    def _finish(self) -> Line:
        line = Line(bytes(self._head), self._tail or None)
        self._head, self._tail = bytearray(), b""
        return line


def parse(line: Line) -> dict[str, Any]:
    """Return the message of a line; of a cut one what can be saved, of anything else `{}`.

    The code in a session can write to the channel what it likes, so nothing here may raise.
    """
    if line.tail is not None:
        return _salvage(line.head, line.tail)
    if not line.head.startswith(b"{"):
        return {}
    try:
        message = json.loads(line.head)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _salvage(head: bytes, tail: bytes) -> dict[str, Any]:
    if found := _STREAM.match(head):
        return {found[1].decode(): _text(head[found.end() :])}
    message: dict[str, Any] = {"end": b'"end":true' in tail}
    if found := _RESULT.search(head):
        message["mime"] = {"text/plain": _text(head[found.end() :])}
    elif found := _ERROR.search(head):
        message["error"] = {"ename": "Error", "evalue": _text(head[found.end() :]), "traceback": []}
    return message


def _text(raw: bytes) -> str:
    """Decode the beginning of a JSON string that may be cut anywhere."""
    for cut in range(_LONGEST_ESCAPE):
        text = raw[: len(raw) - cut].decode(errors="ignore")
        try:
            return str(json.JSONDecoder(strict=False).raw_decode(f'"{text}"')[0])
        except ValueError:
            continue
    return ""
