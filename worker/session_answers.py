"""What the answers of a session pool mean."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import httpx

from worker.faults import CapacityFault, ConfigurationFault, ExecutionLost, InfrastructureFault, SessionLost
from worker.ran import Execution

_PLATFORM_TEXTS = {
    "Request timed out waiting for code execution to complete": "timed_out",
    "Execution aborted": "aborted",
    "Kernel restarted": "aborted",
}
_NAMED = re.compile(r"[a-z]NotFound")  # of a file or another thing; a full pool says no more than NotFound
_GONE = ("NoSessionFoundError", "SessionWithIdentifierNotFound")


class SessionGone(Exception):
    """There is no such session."""


@dataclass(frozen=True)
class SessionPage:
    """A page of the pool's list of sessions."""

    identifiers: list[str]
    next_link: str | None


def sessions_of(answer: httpx.Response) -> SessionPage:
    """Read a page of the list of sessions.

    Raises:
        ExecutionLost: it is damaged.
    """
    try:
        document = answer.json()
        link = document.get("nextLink") or None
        found = [str(session["identifier"]) for session in document["sessions"]]
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ExecutionLost(f"the session pool's answer is damaged: {error!r}") from error
    if link is not None and not (isinstance(link, str) and link.isascii() and link.isprintable()):
        raise ExecutionLost(f"the session pool's answer is damaged: {link!r:.40} is no link")
    return SessionPage(found, link)


def execution_of(answer: httpx.Response) -> Execution:
    """Read the answer to an execution; 200 and 202 both carry one.

    Raises:
        ExecutionLost: it is damaged, or the execution was left unfinished.
    """
    try:
        status, result = _parts(answer.json())
        stdout, stderr = str(result.get("stdout") or ""), str(result.get("stderr") or "")
        value = result.get("executionResult")
        shown = value if isinstance(value, str) or value is None else json.dumps(value)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ExecutionLost(f"the session pool's answer is damaged: {error!r}") from error
    if status not in ("Succeeded", "Success", "Failed"):
        raise ExecutionLost(f"the session pool left the execution {status!r:.40}")
    return Execution(
        outcome=_outcome(status, stderr),
        stdout=stdout,
        stderr=stderr,
        value=shown,
        allocate_ms=_number(answer.headers.get("x-ms-allocation-time")),
        execute_ms=_number(result.get("executionTimeInMilliseconds")),
    )


def _parts(document: Any) -> tuple[Any, Any]:  # noqa: ANN401 - JSON is what it is
    """Status and result of an answer; the first preview wraps both, and has no object for the result."""
    if "properties" not in document:
        return document["status"], document.get("result") or {}
    wrapped = document["properties"]
    result = wrapped.get("result")
    is_flat = not isinstance(result, dict)
    return wrapped["status"], {**wrapped, "executionResult": result} if is_flat else result


def _outcome(status: str, stderr: str) -> Any:  # noqa: ANN401 - one of Execution.outcome's literals
    if status != "Failed":
        return "succeeded"
    return next((word for text, word in _PLATFORM_TEXTS.items() if stderr.startswith(text)), "failed")


def _number(value: object) -> float | None:
    """A number that a time can be; None of anything else."""
    try:
        number = -1.0 if isinstance(value, bool) else float(value)  # type: ignore[arg-type] # else a TypeError
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < math.inf else None


def is_about_shape(answer: httpx.Response) -> bool:
    """Whether an answer says that executions are wanted in the other of the two shapes."""
    return answer.status_code == httpx.codes.BAD_REQUEST and b"SessionPropertiesMissing" in answer.content


def fault_of(answer: httpx.Response, body: bytes) -> Exception:
    """What an error answer means; the bodies come in four shapes, so the text is what counts."""
    text, status = body[:2000].decode(errors="replace"), answer.status_code
    method, path = answer.request.method, answer.request.url.path
    said = f"{status} {_masked(text, answer.request.url.params.get('identifier'))[:300]}".strip()
    if method == "DELETE" and (fault := _release_fault(status, text, said)):
        return fault
    if path.endswith("/listSessions") and status in {404, 405, 501}:
        return _unsupported("list", said)
    if status in {401, 403}:
        return ConfigurationFault(
            f"the session pool refuses access ({said})",
            "Give this identity the role Azure ContainerApps Session Executor on the pool (takes minutes to "
            "work), and check JSWORKER_POOL_API_VERSION: an unknown version is answered so too",
        )
    is_full = status == httpx.codes.NOT_FOUND and method == "POST" and not _NAMED.search(text)
    if status == httpx.codes.TOO_MANY_REQUESTS or is_full or "allocating pod" in text:
        return CapacityFault(f"the session pool is full ({said})", _number(answer.headers.get("Retry-After")))
    # A redirection is another's answer; a session without room was filled by its programs.
    is_failure = status >= httpx.codes.INTERNAL_SERVER_ERROR or status < httpx.codes.BAD_REQUEST
    if is_failure and status != httpx.codes.INSUFFICIENT_STORAGE:
        return InfrastructureFault(f"the session pool failed ({said})")
    return SessionLost(f"the session pool refused {method} {path.rpartition('/')[2]} ({said})")


def _release_fault(status: int, text: str, said: str) -> Exception | None:
    """What only the deletion of a session is answered with."""
    if status == httpx.codes.NOT_FOUND or any(code in text for code in _GONE):
        return SessionGone()
    if status in {405, 501}:
        return _unsupported("delete", said)
    return None


def _unsupported(verb: str, said: str) -> ConfigurationFault:
    return ConfigurationFault(
        f"the session pool does not {verb} sessions ({said})",
        "Set JSWORKER_POOL_API_VERSION to 2025-02-02-preview or later; until then sessions occupy it for "
        "the cooldown",
    )


def _masked(text: str, identifier: str | None) -> str:
    """Without the session's identifier, which is a secret and must not get into logs and results."""
    return text.replace(identifier, f"{identifier[:12]}…") if identifier else text
