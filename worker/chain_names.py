"""What the jobs of a chain are called and where its records lie, by the names of parent and step."""

from __future__ import annotations

import hashlib

MOST_NAME = 128
MOST_MESSAGE_ID = 128
LEAST_NAME = 24  # where a batch's name leaves less room in a message's id, that is made shorter instead
_MARK = 20


def child_id(batch: str, parent: str, step: str, suffix: int | str | None = None) -> str:
    """The id, in its batch, of a job that a step makes; readable, and short enough together with the batch.

    ``suffix`` is the index in a fan-out, or ``join``.
    """
    whole = f"{parent}.{step}" + ("" if suffix is None else f".{suffix}")
    room = min(MOST_NAME, max(LEAST_NAME, MOST_MESSAGE_ID - 1 - len(batch)))
    if len(whole) <= room and ".." not in whole:
        return whole
    return f"{whole.replace('..', '.')[: room - _MARK - 1].rstrip('.')}-{_mark(whole)}"


def message_id(batch: str, job_id: str) -> str:
    """The id of a job's first message: ``batch/id``, made shorter where the queue would not take it."""
    whole = f"{batch}/{job_id}"
    return (
        whole if len(whole) <= MOST_MESSAGE_ID else f"{whole[: MOST_MESSAGE_ID - _MARK - 1]}-{_mark(whole)}"
    )


def fan_in_blob(parent: str, fan_in: str, step: str) -> str:
    """The name, in the results container, of a fan-out's record; ``parent`` is ``batch/id``."""
    return f"{parent}/chain/{fan_in}/{step}.json"


def ended_blob(parent: str, fan_in: str, step: str) -> str:
    """The name of the record of those of a fan-out that have ended: a line with the index of each."""
    return f"{parent}/chain/{fan_in}/{step}.ended.jsonl"


def handed_blob(batch: str, job_id: str, data: bytes, name: str) -> str:
    """Where a job's output lies for the jobs after it, and what has no room in their messages.

    The name tells the content, so that to write it again changes nothing, whichever attempt does.
    """
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)[-80:].strip(".")
    return f"{batch}/{job_id}/chain/{hashlib.sha256(data).hexdigest()[:32]}-{kept}"


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_MARK]
