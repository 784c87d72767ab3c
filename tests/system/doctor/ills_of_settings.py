"""What can be wrong with settings."""

from tests.system.doctor.ill import Ill, having
from tests.system.doctor.stack import Hurt

ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.App/sessionPools/p"

SETTINGS = {
    "a setting is missing": Ill(
        "settings",
        "settings",
        "failed",
        "MAX_SESSIONS: is required",
        "sessionpool show",
        having(MAX_SESSIONS=None),
    ),
    "a setting is misspelled": Ill(
        "settings",
        "unknown-setting",
        "warning",
        "JSWORKER_MAX_ATEMPTS",
        "JSWORKER_MAX_ATTEMPTS",
        having(MAX_ATEMPTS="7"),
    ),
    "a required setting is misspelled": Ill(
        "settings",
        "settings",
        "failed",
        "MAX_SESSIONS",
        "Rename JSWORKER_MAX_SESION, which is set",
        having(MAX_SESSIONS=None, MAX_SESION="7"),
    ),
    "a default is above its maximum": Ill(
        "settings",
        "settings",
        "failed",
        "DEFAULT_TIMEOUT_SECONDS: is above",
        "settings.md",
        having(DEFAULT_TIMEOUT_SECONDS="150", MAX_TIMEOUT_SECONDS="100"),
    ),
    "jobs may read results": Ill(
        "settings",
        "settings",
        "failed",
        "CODE_CONTAINERS: must not name 'results'",
        "settings.md",
        having(CODE_CONTAINERS="submissions,results"),
    ),
    "the shortest pause is above the longest": Ill(
        "settings",
        "retry-bounds",
        "warning",
        "RETRY_BASE_SECONDS (60)",
        "RETRY_MAX_SECONDS=600",
        having(RETRY_BASE_SECONDS="60", RETRY_MAX_SECONDS="5"),
    ),
    "the grace is longer than any platform's": Ill(
        "settings",
        "shutdown-grace",
        "warning",
        "killed",
        "GRACE_SECONDS=570",
        having(SHUTDOWN_GRACE_SECONDS="3600"),
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
        having(STORAGE_ACCOUNT_URL="https://a.blob.core.windows.net"),
    ),
    "the pool is named by its id": Ill(
        "settings",
        "settings",
        "failed",
        "POOL_ENDPOINT",
        "--name p --resource-group g",
        having(POOL_ENDPOINT=ARM),
    ),
}
