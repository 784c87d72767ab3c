"""What can be wrong with a session pool."""

from tests.system.doctor import altered
from tests.system.doctor.ill import Ill, having
from tests.system.doctor.stack import POOL, Hurt

ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.App/sessionPools/p"


def _pool(**faults: object) -> Hurt:
    return Hurt(faults={"pool": faults})


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
    "its name is wrong": Ill(
        "pool",
        "pool-access",
        "failed",
        "no session pool at the endpoint",
        "poolManagementEndpoint",
        Hurt(rewritten={POOL: (r"sessionPools/local", "sessionPools/other")}),
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
        having(POOL_API_VERSION="2027-01-01"),
    ),
    "the version is old": Ill(
        "pool",
        "pool-api-version",
        "warning",
        "4096 characters",
        "API_VERSION=2025-10-02-preview",
        having(POOL_API_VERSION="2024-10-02-preview"),
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
        having(SESSION_COOLDOWN_SECONDS="900"),
    ),
}
