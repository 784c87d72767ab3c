"""Points in time as they are written: whole seconds or fractions of them, in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)


def written(moment: datetime) -> str:
    """A time as in RFC 3339.

    >>> written(datetime(2026, 5, 4, 12, tzinfo=UTC))
    '2026-05-04T12:00:00Z'
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def compact(moment: datetime) -> str:
    """A time, to the second, as part of a name: ``20260504T120000Z``."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def read(text: str) -> datetime:
    """The reverse of ``written``; raises ``ValueError`` for anything else."""
    if not _WRITTEN.fullmatch(text):
        raise ValueError("must be a time in UTC, like 2026-05-04T12:00:00Z")
    return datetime.fromisoformat(text)


def check_instant(text: str) -> str:
    """Refuse what ``read`` does not take."""
    read(text)
    return text
