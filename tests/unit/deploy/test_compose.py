"""deploy/compose.yaml, as far as it can be looked at without running it; `make check-image` runs the rest."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.image.written import DEPLOY, SECRETS, emulator, read_services, seconds
from worker.local.pool.seccomp import DENIED
from worker.processor import DELIVERIES_BEFORE_A_COPY
from worker.setting_groups import PREFIX
from worker.settings import WorkerSettings, load

SERVICES = read_services(SECRETS)
OURS = ("worker", "pool", "containers")
QUEUES = {queue["Name"]: queue["Properties"] for queue in emulator()["Queues"]}
(TOPIC,) = emulator()["Topics"]
SUBSCRIPTIONS = [each["Properties"] for each in TOPIC["Subscriptions"]]
SANDBOXING = {"unshare", "setns", "mount", "umount2", "pivot_root", "sethostname", "pidfd_send_signal"}


def test_it_is_a_composition() -> None:
    schema = json.loads((Path(__file__).parent / "compose-schema.json").read_text())
    written = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert [error.message for error in Draft7Validator(schema).iter_errors(written)] == []


def test_services_refer_to_services_and_files_that_exist() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", ())) <= set(SERVICES)
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source == "blobs" or (DEPLOY / source).is_file()
        if "build" in service:
            context = DEPLOY / service["build"]["context"]
            assert (context / service["build"].get("dockerfile", "Dockerfile")).is_file()


def test_its_settings_are_settings_of_the_worker_and_enough_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given = SERVICES["worker"]["environment"]
    assert {name.removeprefix(PREFIX).lower() for name in given} <= set(WorkerSettings.model_fields)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load(WorkerSettings)
    assert settings.max_sessions == 2
    assert f"--max-sessions={settings.max_sessions}" in SERVICES["pool"]["command"]
    assert set(SERVICES["containers"]["command"]) == {*settings.code_containers, settings.results_container}
    assert {settings.queue, settings.webhooks_queue} == set(QUEUES)


def test_the_worker_has_no_more_connections_than_the_emulator_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICES["worker"]["environment"].items():
        monkeypatch.setenv(name, value)
    beside_slots, of_a_client = 4, 1  # its sender, a look at the dead letters, a probe, and one to spare
    assert load(WorkerSettings).slots + beside_slots + of_a_client <= 10


@pytest.mark.parametrize("name", OURS)
def test_what_is_ours_has_no_rights_and_a_file_system_that_it_cannot_write_to(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "user", "pid", "ipc"} & set(service)


def test_nothing_is_published_but_the_probes_and_they_to_this_machine_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:8080:8080"]


def test_the_pool_may_do_what_makes_sandboxes_and_else_no_more_than_its_sessions() -> None:
    (rule,) = json.loads((DEPLOY / "compose" / "pool-seccomp.json").read_text())["syscalls"]
    assert set(DENIED) - set(rule["names"]) == SANDBOXING
    assert rule["action"] == "SCMP_ACT_ERRNO"


@pytest.mark.parametrize("properties", [*QUEUES.values(), *SUBSCRIPTIONS])
def test_queues_keep_to_what_the_emulator_allows_and_to_what_the_worker_needs(
    properties: dict[str, Any],
) -> None:
    assert seconds(properties["LockDuration"]) == 60
    assert DELIVERIES_BEFORE_A_COPY < properties["MaxDeliveryCount"] <= 10
    assert 300 <= seconds(properties["DefaultMessageTimeToLive"]) <= 3600
    assert properties["RequiresSession"] is False


@pytest.mark.parametrize("properties", [*QUEUES.values(), TOPIC["Properties"]])
def test_repetitions_are_dropped_for_as_long_as_the_emulator_can(properties: dict[str, Any]) -> None:
    assert properties["RequiresDuplicateDetection"] is True
    assert seconds(properties["DuplicateDetectionHistoryTimeWindow"]) == 300


def test_the_emulator_has_its_one_namespace_and_the_topic_of_events() -> None:
    assert (emulator()["Name"], TOPIC["Name"]) == ("sbemulatorns", "events")
