"""What a deployment consists of, with all that can be turned on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.deploy.bicep import FILES, INFRA, Bicep, Scope, bicep

if TYPE_CHECKING:
    from tests.unit.deploy.bicep import Resource

GIVEN: dict[str, Any] = {
    "queueName": "jobs",
    "poolSessions": 20,
    "sessionsPerReplica": 10,
    "cooldownSeconds": 300,
    "egress": "EgressDisabled",
    "resultsRetentionDays": 90,
    "incoming": True,
    "schedules": True,
    "webhookHosts": "hooks.example.com",
    "alertEmail": "operator@example.com",
    "submitterPrincipalId": "a person who submits",
    "readerPrincipalId": "a person who reads",
    "workerId": "worker",
    "platformId": "platform",
    "schedulerId": "scheduler",
    "submitterId": "submitter",
    "readerId": "reader",
    "suffix": "abc",
}


def names() -> list[str]:
    """Of all files, as ``bicep`` takes them."""
    return [str(path.relative_to(INFRA).with_suffix("")) for path in FILES]


def deployed(name: str, **values: object) -> Scope:
    """A file, with what it is given when everything is on, but for these values."""
    file: Bicep = bicep(name)
    given = {key: one for key, one in {**GIVEN, **values}.items() if key in file.part("parameters")}
    return file.given(given)


def resources() -> list[Resource]:
    """All that would be made."""
    return [one for name in names() for one in deployed(name).resources() if not one.existing]
