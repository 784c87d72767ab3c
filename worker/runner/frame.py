"""The answer of the runner, and how it is found in what a session printed."""

import re
import zlib
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from worker.runner.script import file_prefix

Reason = Literal["missing", "wrong_nonce", "cut", "damaged", "runner_failed"]

# contents up to INLINE_IN_ALL_BYTES and a report of 1 M characters, all of it escaped
ANSWER_BYTES = 16 << 20

_HEAD = re.compile(r"<jsw:[A-Za-z0-9]+:(\d+):(\d+)>", re.ASCII)
_NAME = re.compile(r"[a-z0-9-]+")


class FrameError(Exception):
    """There is no answer to be had from this execution; `reason` says why in one word."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", val_json_bytes="base64")


class Content(_Value):
    """What a stream or a file held: `inline`, or as the flat file `name` of the session.

    Attributes:
        size: bytes captured, at most the bound.
        truncated: there was more than the bound.
    """

    size: int = Field(ge=0)
    truncated: bool = False
    inline: bytes | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.inline is None) == (self.name is None):
            raise ValueError("either inline or a name")
        if self.inline is not None and len(self.inline) != self.size:
            raise ValueError("not as long as said")
        return self


class Collected(Content):
    """A file that was asked for, by its path in the program's folder."""

    path: str


class Problem(_Value):
    """Why a file that was asked for did not come."""

    path: str
    reason: Literal["missing", "outside", "not_a_file", "too_big", "unreadable"]


class RunAnswer(_Value):
    """How one process ended.

    Attributes:
        exit_code: None when a signal ended it or it never started.
        ended_by: "exit" also stands for a signal that the runner did not send.
        error: why it never started (`spawn_failed`).
        report: what a harness reported, a JSON object a line; None of a program that is none.
        peak_memory_bytes: 0 for what was over before the first look.
    """

    ended_by: Literal["exit", "timeout", "memory", "output", "spawn_failed"]
    exit_code: int | None = None
    signal: str | None = Field(None, max_length=20)
    duration_ms: int = 0
    peak_memory_bytes: int = 0
    stdout: Content
    stderr: Content
    files: tuple[Collected, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: str | None = Field(None, max_length=10_000)
    report: str | None = None


class Answer(_Value):
    """What came of a program's runs, in their order, as far as they were run."""

    node: str
    runs: tuple[RunAnswer, ...]


class StoredAnswer(_Value):
    """An answer that was too long for the frame and lies in the session as the flat file `name`."""

    name: str
    size: int = Field(ge=0, le=ANSWER_BYTES)
    crc: int


class _Failure(_Value):
    error: str


_PAYLOAD: TypeAdapter[Answer | StoredAnswer | _Failure] = TypeAdapter(Answer | StoredAnswer | _Failure)


def parse_frame(stdout: str, nonce: str) -> Answer | StoredAnswer:
    """Find the answer to `nonce` in what the session printed.

    Raises:
        FrameError: it is missing, cut short or damaged, or the runner itself failed.
    """
    payload = _payload(stdout, nonce)
    try:
        found = _PAYLOAD.validate_json(payload)
    except ValidationError as error:
        raise FrameError("damaged", str(error)) from error
    if isinstance(found, _Failure):
        raise FrameError("runner_failed", found.error)
    _check_names([found.name] if isinstance(found, StoredAnswer) else _names(found), nonce)
    return found


def parse_stored(stored: StoredAnswer, data: bytes, nonce: str) -> Answer:
    """Read an answer from the file that its frame named.

    Raises:
        FrameError: the file is not what the frame said.
    """
    if len(data) != stored.size:
        raise FrameError("cut", f"{len(data)} of {stored.size} bytes")
    if zlib.crc32(data) != stored.crc:
        raise FrameError("damaged", "checksum")
    try:
        answer = Answer.model_validate_json(data)
    except ValidationError as error:
        raise FrameError("damaged", str(error)) from error
    _check_names(_names(answer), nonce)
    return answer


def _payload(stdout: str, nonce: str) -> str:
    start = stdout.find(f"<jsw:{nonce}:")
    head = _HEAD.match(stdout, start) if start >= 0 else None
    if head is None:
        raise FrameError("wrong_nonce" if "<jsw:" in stdout else "missing")
    length, checksum = int(head[1]), int(head[2])
    payload = stdout[head.end() : head.end() + length]
    tail = f"</jsw:{nonce}>"
    rest = stdout[head.end() + length :][: len(tail)]
    if len(rest) < len(tail):
        raise FrameError("cut", f"{len(payload)} of {length} characters")
    if rest != tail or not payload.isascii() or zlib.crc32(payload.encode()) != checksum:
        raise FrameError("damaged", "checksum")
    return payload


def _names(answer: Answer) -> list[str]:
    contents = (content for run in answer.runs for content in (run.stdout, run.stderr, *run.files))
    return [content.name for content in contents if content.name is not None]


def _check_names(names: list[str], nonce: str) -> None:
    prefix = f"{file_prefix(nonce)}-"
    for name in names:
        if not name.startswith(prefix) or not _NAME.fullmatch(name):
            raise FrameError("damaged", "a name that is not of this execution")
