"""What can be wrong with a storage account, and with the clock as it sees it."""

from tests.system.doctor import altered
from tests.system.doctor.ill import Ill, having
from tests.system.doctor.stack import POOL, STORAGE, Hurt

GONE = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint="

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
        having(RESULTS_CONTAINER="outcomes"),
    ),
    "a container of code is missing": Ill(
        "storage",
        "code-container",
        "failed",
        "'programs' does not exist",
        "--name programs",
        having(CODE_CONTAINERS="submissions,programs"),
    ),
    "writing is refused": Ill(
        "storage",
        "results-writable",
        "failed",
        "AuthorizationPermissionMismatch",
        "show-connection-string",
        Hurt(altered={STORAGE: altered.refused("AuthorizationPermissionMismatch")}),
    ),
    "deleting is refused": Ill(
        "storage",
        "results-writable",
        "failed",
        "cannot be deleted (BlobImmutableDueToPolicy)",
        "legal hold",
        Hurt(altered={STORAGE: altered.immutable}),
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
    "the key is wrong": Ill(
        "storage",
        "storage-access",
        "failed",
        "refuses the key",
        "show-connection-string",
        Hurt(rewritten={STORAGE: (r"AccountKey=[^;]+", "AccountKey=d3Jvbmc=")}),
    ),
    "the key is none": Ill(
        "storage",
        "storage-access",
        "failed",
        "refuses the key (it is no key)",
        "show-connection-string",
        Hurt(rewritten={STORAGE: (r"AccountKey=[^;]+", "AccountKey=abc")}),
    ),
    "anybody can read code": Ill(
        "storage",
        "private-container",
        "warning",
        "'submissions' without signing in",
        "--public-access off",
        Hurt(altered={STORAGE: altered.public("submissions")}),
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
