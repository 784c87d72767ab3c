"""Who may do what in a deployment, and that nobody may more."""

from __future__ import annotations

import json

import pytest

from tests.unit.deploy.deployment import deployed
from tests.unit.deploy.shapes import SCHEMAS

ROLES = {role: name for name, role in json.loads((SCHEMAS / "roles.json").read_text())["roles"].items()}
RECEIVER, SENDER = "Azure Service Bus Data Receiver", "Azure Service Bus Data Sender"
OWNER = "Azure Service Bus Data Owner"
CONTRIBUTOR, READER = "Storage Blob Data Contributor", "Storage Blob Data Reader"
MAY = {
    "worker": {
        ("jobs", RECEIVER),
        ("jobs", SENDER),
        ("webhooks", RECEIVER),
        ("webhooks", SENDER),
        ("events", SENDER),
        ("submissions", READER),
        ("incoming", READER),
        ("inputs", CONTRIBUTOR),
        ("results", CONTRIBUTOR),
        ("pool", "Azure ContainerApps Session Executor"),
    },
    "scheduler": {("jobs", RECEIVER), ("jobs", SENDER), ("results", READER)},
    "platform": {("jobs", OWNER), ("webhooks", OWNER), ("registry", "AcrPull")},
    "submitter": {
        ("jobs", SENDER),
        ("submissions", CONTRIBUTOR),
        ("inputs", CONTRIBUTOR),
        ("results", CONTRIBUTOR),
    },
    "reader": {("results", READER)},
}


def may(**values: str) -> dict[str, set[tuple[str, str]]]:
    """By principal: at which resource it has which role."""
    found: dict[str, set[tuple[str, str]]] = {}
    for one in deployed("modules/access", **values).resources():
        if not one.existing:
            given, scope = one.config["properties"], one.config["scope"].what
            role = ROLES[given["roleDefinitionId"].removeprefix("Microsoft.Authorization/roleDefinitions/")]
            found.setdefault(given["principalId"], set()).add((scope, role))
    return found


def test_each_identity_has_the_roles_that_it_needs_and_no_others() -> None:
    assert may(submitterPrincipalId="", readerPrincipalId="") == MAY


def test_people_get_what_the_identities_for_it_have() -> None:
    assert may(submitterPrincipalId="ada", readerPrincipalId="") == {**MAY, "ada": MAY["submitter"]}
    assert may(submitterPrincipalId="", readerPrincipalId="ada") == {**MAY, "ada": MAY["reader"]}


def test_only_identities_are_said_to_be_ones() -> None:
    given = [one.config["properties"] for one in deployed("modules/access").resources() if not one.existing]
    identities = {one["principalId"] for one in given if one["principalType"] == "ServicePrincipal"}
    assert identities == set(MAY)
    assert {one["principalType"] for one in given if one["principalId"] not in MAY} == {None}


def test_event_grid_may_send_to_the_queue_of_jobs_alone() -> None:
    (grant,) = [one for one in deployed("modules/uploads").resources() if "roleAssignments" in one.type]
    role = grant.config["properties"]["roleDefinitionId"].rpartition("/")[2]
    assert (grant.config["scope"].what, ROLES[role]) == ("queue", SENDER)
    assert grant.config["properties"]["principalId"].what == "topic.identity.principalId"


@pytest.mark.parametrize(("app", "own"), [("app", "identity"), ("supply", "schedulerIdentity")])
def test_containers_can_use_the_identity_of_their_own_and_not_that_of_the_platform(
    app: str, own: str
) -> None:
    config = deployed("worker").resource(app)["properties"]["configuration"]
    assert {one["identity"].what: one["lifecycle"] for one in config["identitySettings"]} == {
        f"{own}.id": "Main",
        "platform.id": "None",
    }
    assert [one["identity"].what for one in config["registries"]] == ["platform.id"]


def test_the_platform_reads_the_length_of_the_queues_that_it_may_look_at() -> None:
    rules = deployed("worker").resource("app")["properties"]["template"]["scale"]["rules"]
    assert {one["custom"]["identity"].what for one in rules} == {"platform.id"}
    looked_at = {one["custom"]["metadata"]["queueName"] for one in rules}
    assert looked_at == {scope for scope, role in MAY["platform"] if role == OWNER}


def test_there_are_no_keys() -> None:
    assert deployed("modules/messaging").resource("namespace")["properties"]["disableLocalAuth"] is True
    account = deployed("modules/storage").resource("account")["properties"]
    assert account["allowSharedKeyAccess"] is False
    assert account["allowBlobPublicAccess"] is False
    assert deployed("modules/hosting").resource("registry")["properties"]["adminUserEnabled"] is False
