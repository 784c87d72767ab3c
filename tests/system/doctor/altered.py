"""What a proxy makes of answers, so that a service seems to be set up wrongly."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

from tests.system.doctor.proxy import Answer

if TYPE_CHECKING:
    from tests.system.doctor.proxy import Alter, Asked

ETAG = '"0x8DDOCTOR"'
_MADE = {
    "ETag": ETAG,
    "Last-Modified": "Mon, 02 Jun 2025 10:00:00 GMT",
    "x-ms-request-server-encrypted": "true",
}


def refused(code: str) -> Alter:
    """Writes of blobs are refused, by this code."""

    def alter(asked: Asked, answer: Answer) -> Answer:
        is_write = asked.method == "PUT" and "restype" not in asked.query
        return _storage_error(403, code) if is_write else answer

    return alter


def immutable(asked: Asked, answer: Answer) -> Answer:
    """Blobs are kept by a policy."""
    return _storage_error(409, "BlobImmutableDueToPolicy") if asked.method == "DELETE" else answer


def ignoring(header: str) -> Alter:
    """Blobs are written whatever this condition says."""

    def alter(asked: Asked, answer: Answer) -> Answer:
        is_conflict = answer.status in {409, 412} and header in asked.headers
        return Answer(201, _MADE, b"") if is_conflict else answer

    return alter


def leasing_twice(asked: Asked, answer: Answer) -> Answer:
    """A blob is leased to whoever asks."""
    if answer.status == 409 and "comp=lease" in asked.query:
        return Answer(201, {**_MADE, "x-ms-lease-id": asked.headers["x-ms-proposed-lease-id"]}, b"")
    return answer


def public(container: str) -> Alter:
    """Anybody may read the blobs of a container."""

    def alter(asked: Asked, answer: Answer) -> Answer:
        is_it = answer.status == 200 and asked.path.endswith(f"/{container}")
        return answer.having(**{"x-ms-blob-public-access": "blob"}) if is_it else answer

    return alter


def throttled(_asked: Asked, _answer: Answer) -> Answer:
    return _storage_error(503, "ServerBusy")


def losing_appends(asked: Asked, answer: Answer) -> Answer:
    """What was appended last is not there."""
    is_read = asked.method == "GET" and b"one\ntwo\n" in answer.body
    return Answer(answer.status, answer.headers, answer.body.replace(b"two", b"one")) if is_read else answer


def skewed(seconds: float) -> Alter:
    """The service's clock is ahead of ours."""

    def alter(_asked: Asked, answer: Answer) -> Answer:
        return answer.having(Date=formatdate(time.time() + seconds, usegmt=True))

    return alter


def forbidden(_asked: Asked, _answer: Answer) -> Answer:
    """The role is missing, of which the pool says nothing."""
    return Answer(403, {}, b"")


def undeletable_for_long(asked: Asked, answer: Answer) -> Answer:
    """Sessions stay in the pool's records after they were deleted."""
    if asked.method == "GET" and asked.path.endswith("/session") and answer.status == 404:
        return Answer(200, {"Content-Type": "application/json"}, b"{}")
    return answer


def python(asked: Asked, answer: Answer) -> Answer:
    """The pool runs Python."""
    if not asked.path.endswith("/executions"):
        return answer
    result = {"stdout": "", "stderr": "NameError: name 'require' is not defined", "executionResult": ""}
    return Answer(200, answer.headers, json.dumps({"status": "Failed", "result": result}).encode())


def _storage_error(status: int, code: str) -> Answer:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>No.</Message></Error>'
    headers = {"x-ms-error-code": code, "Content-Type": "application/xml"}
    return Answer(status, headers, body.encode())
