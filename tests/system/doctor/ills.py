"""All that can be wrong in the table of the doctor's tests, and what it is to say of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.system.doctor import altered
from tests.system.doctor.stack import POOL, STORAGE, Hurt

if TYPE_CHECKING:
    from worker.doctor.finding import Part, Status

ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.App/sessionPools/p"
GONE = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint="


@dataclass(frozen=True)
class Ill:
    """One thing that is wrong.

    Attributes:
        check: what finds it, alone.
        says: words of the message.
        mends: words of the remedy.
    """

    part: Part
    check: str
    status: Status
    says: str
    mends: str
    hurt: Hurt


def _set(**settings: str | None) -> Hurt:
    return Hurt(settings={f"JSWORKER_{name}": value for name, value in settings.items()})


def _pool(**faults: object) -> Hurt:
    return Hurt(faults={"pool": faults})


SETTINGS = {
    "a setting is missing": Ill(
        "settings",
        "settings",
        "failed",
        "MAX_SESSIONS: is required",
        "sessionpool show",
        _set(MAX_SESSIONS=None),
    ),
    "a setting is misspelled": Ill(
        "settings",
        "unknown-setting",
        "warning",
        "JSWORKER_MAX_ATEMPTS",
        "JSWORKER_MAX_ATTEMPTS",
        _set(MAX_ATEMPTS="7"),
    ),
    "a required setting is misspelled": Ill(
        "settings",
        "settings",
        "failed",
        "MAX_SESSIONS",
        "Rename JSWORKER_MAX_SESION, which is set",
        _set(MAX_SESSIONS=None, MAX_SESION="7"),
    ),
    "a default is above its maximum": Ill(
        "settings",
        "settings",
        "failed",
        "DEFAULT_TIMEOUT_SECONDS: is above",
        "settings.md",
        _set(DEFAULT_TIMEOUT_SECONDS="150", MAX_TIMEOUT_SECONDS="100"),
    ),
    "jobs may read results": Ill(
        "settings",
        "results-readable",
        "warning",
        "'results'",
        "CODE_CONTAINERS=submissions",
        _set(CODE_CONTAINERS="submissions,results"),
    ),
    "the shortest pause is above the longest": Ill(
        "settings",
        "retry-bounds",
        "warning",
        "RETRY_BASE_SECONDS (60)",
        "RETRY_MAX_SECONDS=600",
        _set(RETRY_BASE_SECONDS="60", RETRY_MAX_SECONDS="5"),
    ),
    "the grace is longer than any platform's": Ill(
        "settings",
        "shutdown-grace",
        "warning",
        "killed",
        "GRACE_SECONDS=570",
        _set(SHUTDOWN_GRACE_SECONDS="3600"),
    ),
    "the secret can be guessed": Ill(
        "settings",
        "session-secret",
        "warning",
        "fewer than 32",
        "openssl rand",
        Hurt({"JSWORKER_SESSION_SECRET": "classroom"}),
    ),
    "a service has a key and an identity": Ill(
        "settings",
        "two-ways-in",
        "warning",
        "the key is what is used",
        "unset",
        _set(STORAGE_ACCOUNT_URL="https://a.blob.core.windows.net"),
    ),
    "the pool is named by its id": Ill(
        "settings",
        "settings",
        "failed",
        "POOL_ENDPOINT",
        "--name p --resource-group g",
        _set(POOL_ENDPOINT=ARM),
    ),
}

STORAGE_ILLS = {
    "its name does not resolve": Ill(
        "storage",
        "storage-host",
        "failed",
        "does not resolve",
        "getent hosts",
        Hurt({STORAGE: f"{GONE}http://account.invalid/a"}),
    ),
    "nothing listens": Ill(
        "storage",
        "storage-host",
        "failed",
        "no connection",
        "firewall",
        Hurt({STORAGE: f"{GONE}http://127.0.0.1:9/a"}),
    ),
    "the connection string is none": Ill(
        "storage",
        "storage-host",
        "failed",
        "cannot be read",
        "show-connection-string",
        Hurt({STORAGE: "key"}),
    ),
    "the results container is missing": Ill(
        "storage",
        "results-container",
        "failed",
        "'outcomes' does not exist",
        "az storage container create",
        _set(RESULTS_CONTAINER="outcomes"),
    ),
    "a container of code is missing": Ill(
        "storage",
        "code-container",
        "failed",
        "'programs' does not exist",
        "--name programs",
        _set(CODE_CONTAINERS="submissions,programs"),
    ),
    "writing is refused": Ill(
        "storage",
        "results-writable",
        "failed",
        "AuthorizationPermissionMismatch",
        "show-connection-string",
        Hurt(altered={STORAGE: altered.refused("AuthorizationPermissionMismatch")}),
    ),
    "it throttles": Ill(
        "storage",
        "storage-access",
        "failed",
        "503 ServerBusy",
        "Try again",
        Hurt(altered={STORAGE: altered.throttled}),
    ),
    "If-None-Match is ignored": Ill(
        "storage",
        "create-once",
        "failed",
        "written over",
        "storage account of Azure",
        Hurt(altered={STORAGE: altered.ignoring("if-none-match")}),
    ),
    "If-Match is ignored": Ill(
        "storage",
        "replace-by-etag",
        "failed",
        "ETag",
        "storage account of Azure",
        Hurt(altered={STORAGE: altered.ignoring("if-match")}),
    ),
    "what is appended is lost": Ill(
        "storage",
        "append-blob",
        "failed",
        "appended",
        "storage account of Azure",
        Hurt(altered={STORAGE: altered.losing_appends}),
    ),
    "a blob is leased twice": Ill(
        "storage",
        "lease",
        "failed",
        "leased again",
        "storage account of Azure",
        Hurt({"JSWORKER_PERMIT_LEASES": "true"}, altered={STORAGE: altered.leasing_twice}),
    ),
}

POOL_ILLS = {
    "its endpoint is the portal's": Ill(
        "pool",
        "pool-address",
        "failed",
        "page of the portal",
        "--name p --resource-group g",
        Hurt({POOL: f"https://portal.azure.com/#@t/resource{ARM}"}),
    ),
    "its endpoint is the resource manager's": Ill(
        "pool",
        "pool-address",
        "failed",
        "managed",
        "poolManagementEndpoint",
        Hurt({POOL: f"https://management.azure.com{ARM}"}),
    ),
    "its endpoint is that of a call": Ill(
        "pool",
        "pool-address",
        "failed",
        "one of its calls",
        "poolManagementEndpoint",
        Hurt(
            {
                POOL: "https://westeurope.dynamicsessions.io/subscriptions/s/resourceGroups/g/sessionPools/p/executions"
            }
        ),
    ),
    "it is down": Ill(
        "pool", "pool-host", "failed", "no connection", "firewall", Hurt({POOL: "http://127.0.0.1:9/p"})
    ),
    "the token is wrong": Ill(
        "pool",
        "pool-access",
        "failed",
        "refuses JSWORKER_POOL_TOKEN",
        "get-access-token",
        Hurt({"JSWORKER_POOL_TOKEN": "old"}),
    ),
    "the version is unknown": Ill(
        "pool",
        "pool-api-version",
        "failed",
        "does not know the version 2027-01-01",
        "API_VERSION=2025-10-02-preview",
        _set(POOL_API_VERSION="2027-01-01"),
    ),
    "the version is old": Ill(
        "pool",
        "pool-api-version",
        "warning",
        "4096 characters",
        "API_VERSION=2025-10-02-preview",
        _set(POOL_API_VERSION="2024-10-02-preview"),
    ),
    "the role is missing": Ill(
        "pool",
        "pool-access",
        "failed",
        "(403)",
        "role assignment create --assignee-object-id OBJECT_ID",
        Hurt(altered={POOL: altered.forbidden}),
    ),
    "it is full": Ill(
        "pool", "pool-execution", "failed", "is full (429)", "--max-sessions", _pool(full_rate=1)
    ),
    "it is full and says so as a 404": Ill(
        "pool", "pool-execution", "failed", "is full (404)", "--max-sessions", _pool(missing_rate=1)
    ),
    "it runs Python": Ill(
        "pool", "pool-execution", "failed", "Python", "NodeLTS", Hurt(altered={POOL: altered.python})
    ),
    "its kernels die": Ill(
        "pool", "pool-execution", "failed", "aborted", "provisioningState", _pool(kill_kernel_rate=1)
    ),
    "its answers are cut": Ill(
        "pool", "pool-execution", "failed", "damaged", "Try again", _pool(cut_answers=True)
    ),
    "sessions cannot be deleted": Ill(
        "pool",
        "pool-release",
        "failed",
        "does not delete",
        "SESSION_POLICY=shared",
        _pool(delete_refused=405),
    ),
    "deleted sessions stay": Ill(
        "pool",
        "pool-release",
        "warning",
        "still there",
        "MAX_SESSIONS lower",
        Hurt(altered={POOL: altered.undeletable_for_long}),
    ),
    "a session takes long to come": Ill(
        "pool",
        "pool-allocation",
        "warning",
        "to get a new session",
        "SESSION_POLICY",
        _pool(allocation_seconds=1),
    ),
    "it wants the old shape": Ill(
        "pool", "pool-body-shape", "warning", "first preview", "NodeLTS", _pool(wrapped_body=True)
    ),
    "its cooldown is another": Ill(
        "pool",
        "pool-cooldown",
        "warning",
        "cooldown is 300 s",
        "COOLDOWN_SECONDS=300",
        _set(SESSION_COOLDOWN_SECONDS="900"),
    ),
}

CLOCK_ILLS = {
    "the clock is a minute behind": Ill(
        "clock",
        "clock-against-pool",
        "warning",
        "behind that of the session pool",
        "timedatectl",
        Hurt(altered={POOL: altered.skewed(60)}),
    ),
    "the clock is an hour ahead": Ill(
        "clock",
        "clock-against-storage",
        "failed",
        "sign-in fails",
        "timedatectl",
        Hurt(altered={STORAGE: altered.skewed(-3600)}),
    ),
}

ILLS = {
    f"{part}: {name}": ill
    for part, ills in {
        "settings": SETTINGS,
        "storage": STORAGE_ILLS,
        "pool": POOL_ILLS,
        "clock": CLOCK_ILLS,
    }.items()
    for name, ill in ills.items()
}
