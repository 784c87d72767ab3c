"""The numbers of a deployment fit those of the worker."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.deploy.bicep import INFRA, bicep
from tests.unit.deploy.deployment import deployed
from worker import fitting, handed_in, lifecycle, link, names, permit_leases, sessions, suspects
from worker.messages import SHORT_LOCK_SECONDS
from worker.plan import Workers
from worker.processor import DELIVERIES_BEFORE_A_COPY
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULTS: dict[str, Any] = {name: one.default for name, one in WorkerSettings.model_fields.items()}
UNITS = {"D": 86_400, "H": 3600, "M": 60, "S": 1}


def seconds(duration: str) -> float:
    """Of an ISO 8601 duration of one unit."""
    ((number, unit),) = re.findall(r"^PT?(\d+)([DHMS])$", duration)
    return int(number) * UNITS[unit]


def queues() -> dict[str, dict[str, Any]]:
    """The properties of the queues by their names."""
    found = [one.config for one in deployed("modules/messaging").resources() if one.symbol == "queue"]
    return {one["name"]: one["properties"] for one in found}


def settings(**values: object) -> dict[str, str]:
    """What the worker's environment says."""
    return environment("app", **values)


def environment(app: str, **values: object) -> dict[str, str]:
    """The environment of a container, as far as it is known here."""
    (container,) = deployed("worker", **values).resource(app)["properties"]["template"]["containers"]
    return {one["name"]: one.get("value", one.get("secretRef")) for one in container["env"]}


def fleets() -> Iterator[tuple[int, int]]:
    """Sessions of the pool and of a replica, at the limits of what is allowed and all over it."""
    least, most = bicep("main").limits("poolSessions")
    for pool in [*range(least, 40), 99, 100, 101, 599, most]:
        for replica in [*range(least, 12), 99, 100, 599, most]:
            yield pool, replica


def test_the_queues_are_the_one_of_jobs_and_the_one_of_webhooks() -> None:
    assert set(queues()) == {"jobs", DEFAULTS["webhooks_queue"]}


@pytest.mark.parametrize("name", ["jobs", "webhooks"])
def test_locks_are_long_enough_for_a_pause_of_the_worker(name: str) -> None:
    assert seconds(queues()[name]["lockDuration"]) == 60 > SHORT_LOCK_SECONDS


@pytest.mark.parametrize("name", ["jobs", "webhooks"])
def test_the_worker_gives_a_message_up_before_the_queue_does(name: str) -> None:
    crashes = suspects.DELIVERIES_BEFORE_SUSPICION + suspects.MARKS_BEFORE_GIVING_UP
    most = DEFAULTS["max_attempts"] + DELIVERIES_BEFORE_A_COPY + crashes
    assert queues()[name]["maxDeliveryCount"] > most
    assert queues()[name]["deadLetteringOnMessageExpiration"] is True


def test_an_event_lives_longer_than_all_attempts_to_post_it() -> None:
    pauses = [1, 6, 24, 120, 360, 720, 2160]  # times the first, as docs/settings.md has it
    attempts = sum(pauses) * DEFAULTS["webhook_retry_base_seconds"] * 1.25
    assert seconds(queues()["webhooks"]["defaultMessageTimeToLive"]) > 2 * attempts


@pytest.mark.parametrize("name", ["jobs", "webhooks"])
def test_queues_detect_duplicates_for_longer_than_a_scheduler_looks_ahead(name: str) -> None:
    args = deployed("worker").resource("supply")["properties"]["template"]["containers"][0]["args"]
    horizon = int(args[args.index("--horizon") + 1])
    assert queues()[name]["requiresDuplicateDetection"] is True
    assert horizon < seconds(queues()[name]["duplicateDetectionHistoryTimeWindow"]) <= 7 * 86_400


def test_a_scheduler_looks_ahead_twice_as_far_as_to_the_next_look() -> None:
    configuration = deployed("worker").resource("supply")["properties"]["configuration"]
    cron = configuration["scheduleTriggerConfig"]["cronExpression"]
    (minutes,) = re.findall(r"^\*/(\d+) \* \* \* \*$", cron)
    args = deployed("worker").resource("supply")["properties"]["template"]["containers"][0]["args"]
    assert int(args[-1]) >= 2 * int(minutes) * 60
    assert configuration["replicaTimeout"] < int(minutes) * 60


def test_replicas_are_as_many_as_planned_and_never_use_more_sessions_than_the_pool_has() -> None:
    for pool, asked in fleets():
        sessions_each = deployed("main", poolSessions=pool, sessionsPerReplica=asked).name("sessions")
        fleet = deployed("worker", poolSessions=pool, sessionsPerReplica=sessions_each)
        assert 1 <= sessions_each <= asked
        assert fleet.name("replicas") == Workers(sessions_each).replicas(pool) <= pool // sessions_each


def test_replicas_and_their_settings_are_what_was_worked_out() -> None:
    given = {"poolSessions": 25, "sessionsPerReplica": 10}
    template = deployed("worker", **given).resource("app")["properties"]["template"]
    assert (template["scale"]["minReplicas"], template["scale"]["maxReplicas"]) == (0, 2)
    said = settings(**given)
    assert (said["JSWORKER_MAX_SESSIONS"], said["JSWORKER_SESSIONS_PER_WORKER"]) == ("25", "10")


def test_the_worker_takes_as_many_sessions_as_a_pool_may_have() -> None:
    field = WorkerSettings.model_fields["max_sessions"]
    bounds = {key: value for one in field.metadata for key, value in vars_of(one).items()}
    assert bicep("main").limits("poolSessions") == (bounds["ge"], bounds["le"])
    assert bicep("worker").limits("poolSessions") == bicep("main").limits("poolSessions")


def vars_of(constraint: object) -> dict[str, Any]:
    """What a constraint of annotated-types says."""
    return {name: getattr(constraint, name) for name in ("ge", "le") if hasattr(constraint, name)}


def test_overlapping_replicas_share_the_pool_by_leases() -> None:
    assert settings()["JSWORKER_PERMIT_LEASES"] == "true"


def test_each_message_that_waits_or_is_worked_on_is_worth_a_session() -> None:
    rules = deployed("worker", sessionsPerReplica=7).resource("app")["properties"]["template"]["scale"][
        "rules"
    ]
    assert rules[0]["custom"]["metadata"]["messageCount"] == "7"


def test_a_worker_is_there_for_webhooks_too_if_there_are_any() -> None:
    def looked_at(hosts: str) -> list[str]:
        template = deployed("worker", webhookHosts=hosts).resource("app")["properties"]["template"]
        return [one["custom"]["metadata"]["queueName"] for one in template["scale"]["rules"]]

    assert looked_at("") == ["jobs"]
    assert looked_at("hooks.example.com") == ["jobs", "webhooks"]


def test_a_replica_that_is_stopped_lets_the_longest_program_end() -> None:
    grace = float(settings()["JSWORKER_SHUTDOWN_GRACE_SECONDS"])
    assert grace >= DEFAULTS["max_timeout_seconds"] + sessions.ANSWER_SECONDS


def test_the_platform_waits_for_the_worker_s_grace_and_its_cleaning_up() -> None:
    template = deployed("worker").resource("app")["properties"]["template"]
    cleaning = lifecycle.CLEANUP_SECONDS + 2 * lifecycle.CANCELLED_SECONDS + lifecycle.SESSIONS_SECONDS
    cleaning += permit_leases.CLOSE_SECONDS + link.CLOSE_SECONDS
    grace = float(settings()["JSWORKER_SHUTDOWN_GRACE_SECONDS"])
    assert grace + cleaning < template["terminationGracePeriodSeconds"] <= 600


def test_the_pool_s_cooldown_is_the_one_that_the_worker_counts_with() -> None:
    default = bicep("main").part("parameters")["cooldownSeconds"]["default"]
    assert default == DEFAULTS["session_cooldown_seconds"]
    pool = deployed("modules/pool", cooldownSeconds=600).resource("pool")["properties"]
    lifecycle_of_sessions = pool["dynamicPoolConfiguration"]["lifecycleConfiguration"]
    assert lifecycle_of_sessions == {"lifecycleType": "Timed", "cooldownPeriodInSeconds": 600}
    assert settings(cooldownSeconds=600)["JSWORKER_SESSION_COOLDOWN_SECONDS"] == "600"
    assert bicep("main").limits("cooldownSeconds") == (300, 3600)


def test_the_pool_has_the_sessions_and_the_network_that_were_asked_for() -> None:
    pool = deployed("modules/pool", poolSessions=33).resource("pool")["properties"]
    assert pool["scaleConfiguration"]["maxConcurrentSessions"] == 33
    assert pool["sessionNetworkConfiguration"]["status"] == "EgressDisabled"
    assert (pool["containerType"], pool["poolManagementType"]) == ("NodeLTS", "Dynamic")
    assert bicep("main").part("parameters")["egress"]["default"] == "EgressDisabled"


def test_the_containers_are_those_that_the_worker_and_its_clients_use() -> None:
    made = [
        one.config["name"] for one in deployed("modules/storage").resources() if one.symbol == "container"
    ]
    read = settings(incoming=True)["JSWORKER_CODE_CONTAINERS"].split(",")
    assert set(made) == {*read, DEFAULTS["results_container"]}
    assert set(DEFAULTS["code_containers"]) == {handed_in.PROGRAMS, fitting.INPUTS} < set(read)
    assert "JSWORKER_CODE_CONTAINERS" not in settings(incoming=False)


def test_old_batches_are_deleted_and_what_the_worker_keeps_beside_them_is_not() -> None:
    rules = deployed("modules/storage", resultsRetentionDays=30).resource("lifecycle")["properties"]["policy"]
    prefixes = [one for rule in rules["rules"] for one in rule["definition"]["filters"]["prefixMatch"]]
    beginnings = {chr(code) for code in range(128) if re.match(names.NAME, chr(code))}
    assert sorted(prefixes) == sorted(f"{DEFAULTS['results_container']}/{one}" for one in beginnings)
    assert max(len(rule["definition"]["filters"]["prefixMatch"]) for rule in rules["rules"]) <= 10
    days = {
        rule["definition"]["actions"]["baseBlob"]["delete"]["daysAfterModificationGreaterThan"]
        for rule in rules["rules"]
    }
    assert days == {30}


def test_the_probes_are_those_that_the_worker_answers() -> None:
    (container,) = deployed("worker").resource("app")["properties"]["template"]["containers"]
    docs = (INFRA.parents[1] / "docs" / "health.md").read_text()
    port = int(settings()["JSWORKER_HEALTH_PORT"])
    for probe in container["probes"]:
        assert probe["httpGet"]["port"] == port
        assert f"| `{probe['httpGet']['path']}` |" in docs
    starting = next(one for one in container["probes"] if one["type"] == "Startup")
    assert timedelta(seconds=starting["periodSeconds"] * starting["failureThreshold"]) >= timedelta(minutes=2)
