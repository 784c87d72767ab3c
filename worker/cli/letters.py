"""How dead letters are shown, to people and to programs. Nothing of them is interpreted."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from worker.cli.moments import shown
from worker.report import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from worker.result import Result
    from worker.seen import Seen

NO_REASON = "(no reason)"
EXAMPLES = 3
_LONGEST_REASON = 40
_LONGEST_LINE = 400
_LONGEST_BODY = 4000


@dataclass
class Group:
    """The letters of one reason: how many, from when to when, and the first few."""

    reason: str
    count: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    examples: list[Seen] = field(default_factory=list)

    def add(self, letter: Seen) -> None:
        """Count a letter."""
        self.count += 1
        if letter.enqueued_at:
            self.oldest = min(self.oldest or letter.enqueued_at, letter.enqueued_at)
            self.newest = max(self.newest or letter.enqueued_at, letter.enqueued_at)
        if len(self.examples) < EXAMPLES:
            self.examples.append(letter)

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "reason": self.reason,
            "count": self.count,
            "oldest": _iso(self.oldest),
            "newest": _iso(self.newest),
            "examples": [document(letter, body=False) for letter in self.examples],
        }


class Groups:
    """Letters counted by reason."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}

    def add(self, letter: Seen) -> None:
        """Count a letter."""
        reason = letter.reason or ""
        self._groups.setdefault(reason, Group(reason)).add(letter)

    def ordered(self) -> list[Group]:
        """The most frequent reason first."""
        counts = Counter({reason: group.count for reason, group in self._groups.items()})
        return [self._groups[reason] for reason, _ in counts.most_common()]

    def table(self) -> Iterator[str]:
        """A line a reason under headings."""
        width = min(_LONGEST_REASON, max([len(NO_REASON), *map(len, self._groups)]))
        yield f"{'REASON':<{width}}  {'COUNT':>7}  {'OLDEST':<20}  EXAMPLES"
        for group in self.ordered():
            reason = printable(group.reason or NO_REASON)[:_LONGEST_REASON]
            examples = ", ".join(f"{letter.sequence_number} ({named(letter)})" for letter in group.examples)
            more = ", ..." if group.count > len(group.examples) else ""
            yield f"{reason:<{width}}  {group.count:>7}  {shown(group.oldest):<20}  {examples}{more}"


def named(letter: Seen) -> str:
    """The job of a letter as ``batch/id``."""
    job_id, batch = letter.job
    return f"{batch}/{job_id}"


def headings() -> str:
    """What stands over lines."""
    return f"{'SEQUENCE':>10}  {'ENQUEUED':<20}  {'DELIVERIES':>10}  {'JOB':<30}  REASON"


def line(letter: Seen) -> str:
    """One letter at a glance."""
    return row(letter, f"{letter.delivery_count:>10}", f"{named(letter):<30}")


def row(letter: Seen, *columns: str) -> str:
    """A line with these columns between when a letter was enqueued and why it is dead."""
    why = letter.reason or NO_REASON
    if letter.description:
        why += f": {letter.description}"
    first = (f"{letter.sequence_number:>10}", f"{shown(letter.enqueued_at):<20}")
    return "  ".join((*first, *columns, printable(why[:_LONGEST_LINE])))


def story(letter: Seen, result: Result | None) -> Iterator[tuple[str, str]]:
    """All that is known of a letter: names and texts, untrusted and bounded."""
    history = letter.history
    yield "sequence", f"{letter.sequence_number} in {letter.queue}".removesuffix(" in ")
    yield "message id", letter.message_id
    yield "job", named(letter)
    yield "reason", letter.reason or NO_REASON
    yield "description", (letter.description or "-")[:_LONGEST_LINE]
    yield "enqueued", shown(letter.enqueued_at)
    yield "expired", shown(letter.expires_at)
    yield "deliveries", str(letter.delivery_count)
    yield "attempts", f"{history.attempts}, setbacks {history.setbacks}, copies {history.copies}"
    for reason in history.reasons:
        yield "before", reason
    yield "result", _told(result)
    yield "body", _body(letter.body)


def document(letter: Seen, *, body: bool = True) -> dict[str, Any]:
    """A letter for programs."""
    job_id, batch = letter.job
    known = {
        "queue": letter.queue,
        "sequence_number": letter.sequence_number,
        "message_id": letter.message_id,
        "id": job_id,
        "batch": batch,
        "reason": letter.reason,
        "description": letter.description,
        "enqueued_at": _iso(letter.enqueued_at),
        "expires_at": _iso(letter.expires_at),
        "delivery_count": letter.delivery_count,
        "attempts": letter.history.attempts,
        "setbacks": letter.history.setbacks,
        "copies": letter.history.copies,
        "reasons": letter.history.reasons,
        "origin": letter.origin,
    }
    text = letter.body.decode("utf-8", "replace") if letter.body is not None else None
    return known | ({"body": text} if body else {})


def as_line(value: dict[str, Any]) -> str:
    """One JSON object in ASCII, so that no reader takes U+2028 for a line end."""
    return json.dumps(value, separators=(",", ":"))


def _told(result: Result | None) -> str:
    if result is None:
        return "none yet: a running worker writes one within seconds"
    error = f" ({result.error.code}: {result.error.message})" if result.error else ""
    return f"{result.status}{error}"


def _body(body: bytes | None) -> str:
    if body is None:
        return "(no data: an AMQP value or sequence)"
    text = body[: 4 * _LONGEST_BODY].decode("utf-8", "replace")[:_LONGEST_BODY]
    more = f" ... ({len(body):,} bytes in all)" if len(body) > len(text.encode()) else ""
    return text + more


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None
