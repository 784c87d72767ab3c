"""Settings that can be used one by one, and do not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.doctor.check import Check
from worker.doctor.finding import Finding
from worker.doctor.identity import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.doctor.context import Context
    from worker.settings import WorkerSettings

LONGEST_GRACE_SECONDS = 600  # of a container app; a replica is killed after it
STOPPING_SECONDS = 30  # what the worker needs beyond the grace, to hand back and to close
SHORTEST_SECRET_CHARS = 32


async def combinations(context: Context) -> list[Finding]:
    """Look at the settings together."""
    settings = context.settings
    found = [*_times(settings), *_ways_in(settings), *_secrets(settings)]
    return found or [Finding("combinations", "settings", "ok", "they go together")]


def _times(settings: WorkerSettings) -> Iterator[Finding]:
    if settings.retry_base_seconds > settings.retry_max_seconds:
        yield _warning(
            "retry-bounds",
            f"RETRY_BASE_SECONDS ({settings.retry_base_seconds:g}) is above RETRY_MAX_SECONDS "
            f"({settings.retry_max_seconds:g}): every pause is the longest",
            f"export JSWORKER_RETRY_MAX_SECONDS={settings.retry_base_seconds * 10:g}",
        )
    longest = LONGEST_GRACE_SECONDS - STOPPING_SECONDS
    if settings.shutdown_grace_seconds > longest:
        yield _warning(
            "shutdown-grace",
            f"SHUTDOWN_GRACE_SECONDS ({settings.shutdown_grace_seconds:g}) is longer than a container app "
            f"waits ({LONGEST_GRACE_SECONDS} s at most): the worker is killed before it hands its jobs back",
            f"export JSWORKER_SHUTDOWN_GRACE_SECONDS={longest}",
        )


def _ways_in(settings: WorkerSettings) -> Iterator[Finding]:
    if settings.servicebus_namespace and settings.servicebus_connection_string:
        yield _twice("SERVICEBUS_NAMESPACE", "SERVICEBUS_CONNECTION_STRING")
    if settings.storage_account_url and settings.storage_connection_string:
        yield _twice("STORAGE_ACCOUNT_URL", "STORAGE_CONNECTION_STRING")


def _secrets(settings: WorkerSettings) -> Iterator[Finding]:
    secret = settings.session_secret
    if secret and len(secret.get_secret_value()) < SHORTEST_SECRET_CHARS:
        yield _warning(
            "session-secret",
            f"SESSION_SECRET has fewer than {SHORTEST_SECRET_CHARS} characters: who guesses it can tell "
            "which session is whose",
            'export JSWORKER_SESSION_SECRET="$(openssl rand -hex 32)"  # the same for all workers',
        )
    if settings.pool_token and not is_loopback(settings.pool_endpoint):
        yield _warning(
            "pool-token-ends",
            "POOL_TOKEN is a token of Entra, which ends within hours, and the worker then stands still",
            "unset JSWORKER_POOL_TOKEN, and sign in with Entra (az login; or a managed identity)",
        )


def _twice(identity: str, key: str) -> Finding:
    return _warning(
        "two-ways-in",
        f"{identity} and {key} are both set; the key is what is used",
        f"unset JSWORKER_{key}, or JSWORKER_{identity}",
    )


def _warning(check: str, message: str, remedy: str) -> Finding:
    return Finding(check, "settings", "warning", message, remedy)


CHECKS = (Check(combinations, "settings"),)
