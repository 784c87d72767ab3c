"""What clients ask, checked: API versions, identifiers, executions in both body shapes."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from worker.local.pool.errors import ServiceError

WRAPPED_VERSION = "2024-02-02-preview"
FLAT_VERSIONS = ("2024-10-02-preview", "2025-02-02-preview", "2025-10-02-preview")
SESSION_VERSIONS = FLAT_VERSIONS[1:]
VERSIONS = (WRAPPED_VERSION, *FLAT_VERSIONS)
LENGTH_VERSION = FLAT_VERSIONS[-1]

DEFAULT_TIMEOUT_SECONDS, LONGEST_TIMEOUT_SECONDS = 60, 220
DEFAULT_STREAM_LENGTH, LONGEST_STREAM_LENGTH = 4096, 1_000_000
_IDENTIFIER = re.compile(r"[A-Za-z0-9-]{4,128}")


def checked_identifier(identifier: str | None) -> str:
    """Return a session identifier.

    Raises:
        ServiceError: it is missing or malformed (400).
    """
    if identifier is None or not _IDENTIFIER.fullmatch(identifier):
        text = "The identifier must be 4 to 128 letters, digits and hyphens."
        raise ServiceError(400, "SessionIdentifierInvalid", text)
    return identifier


@dataclass(frozen=True, slots=True)
class ExecutionRequest:
    """Code to run and its bounds."""

    code: str
    timeout_seconds: int
    max_length: int


def parse_execution(body: bytes, *, version: str, wrapped: bool) -> ExecutionRequest:
    """Read the body of an execution in the shape that is expected.

    Raises:
        ServiceError: it is not one (400).
    """
    fields = _fields(body, wrapped=wrapped)
    if fields.get("executionType", "Synchronous") != "Synchronous":
        raise _invalid("executionType must be Synchronous: this pool does not run code asynchronously.")
    length = DEFAULT_STREAM_LENGTH
    if version == LENGTH_VERSION:
        length = _integer(fields, "outputStreamsMaxLength", DEFAULT_STREAM_LENGTH, LONGEST_STREAM_LENGTH)
    timeout = _integer(fields, "timeoutInSeconds", DEFAULT_TIMEOUT_SECONDS, LONGEST_TIMEOUT_SECONDS)
    return ExecutionRequest(_code(fields), timeout, length)


def _fields(body: bytes, *, wrapped: bool) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _invalid("The body is not valid JSON.") from error
    if isinstance(fields, dict) and wrapped:
        if not isinstance(fields.get("properties"), dict):
            raise ServiceError(400, "SessionPropertiesMissing", "The session properties are missing.")
        fields = fields["properties"]
    if not isinstance(fields, dict):
        raise _invalid("The body must be a JSON object.")
    return fields


def _code(fields: dict[str, Any]) -> str:
    kind = str(fields.get("codeInputType", "Inline")).lower()
    code = fields.get("code", fields.get("pythonCode"))
    if not isinstance(code, str):
        raise _invalid("code must be a string.")
    if kind in {"inline", "inlinetext"}:
        return code
    if kind != "inlinebase64":
        raise _invalid("codeInputType must be Inline, InlineText or InlineBase64.")
    try:
        return base64.b64decode(code, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise _invalid("code must be UTF-8 text in base64.") from error


def _integer(fields: dict[str, Any], name: str, default: int, maximum: int) -> int:
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= maximum:
        raise _invalid(f"{name} must be a whole number from 1 to {maximum}.")
    return value


def _invalid(message: str) -> ServiceError:
    return ServiceError(400, "ValidationFailed", message)
