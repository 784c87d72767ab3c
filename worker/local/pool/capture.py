"""What one execution puts out, bounded while it is read."""

from dataclasses import dataclass, field
from typing import Any


class BoundedText:
    """The first `limit` characters of a text that comes in pieces."""

    def __init__(self, limit: int) -> None:
        self._room = limit
        self._pieces: list[str] = []

    @property
    def full(self) -> bool:
        """Whether more would be dropped."""
        return self._room <= 0

    def add(self, text: str) -> None:
        """Append what there is room for."""
        piece = text[: self._room]
        if piece:
            self._pieces.append(piece)
            self._room -= len(piece)

    def __str__(self) -> str:
        return "".join(self._pieces)


@dataclass(slots=True)
class Capture:
    """The streams and the value of one execution."""

    limit: int
    stdout: BoundedText = field(init=False)
    stderr: BoundedText = field(init=False)
    value: str = ""
    failed: bool = False

    def __post_init__(self) -> None:
        self.stdout, self.stderr = BoundedText(self.limit), BoundedText(self.limit)

    def take(self, message: dict[str, Any]) -> bool:
        """Add a message of the kernel; tell whether it was the last of the execution."""
        for name in ("stdout", "stderr"):
            text = message.get(name)
            if isinstance(text, str):
                getattr(self, name).add(text)
        if isinstance(error := message.get("error"), dict):
            self._fail(error)
        if isinstance(mime := message.get("mime"), dict):
            self.value = str(mime.get("text/plain", ""))[: self.limit]
        return message.get("end") is True

    def _fail(self, error: dict[str, Any]) -> None:
        self.failed = True
        traceback = error.get("traceback")
        lines = [str(line) for line in traceback] if isinstance(traceback, list) else []
        self.stderr.add("\n".join(lines) or f"{error.get('ename')}: {error.get('evalue')}")
