"""Every resource is one that its type takes, by what Microsoft has published of it."""

from __future__ import annotations

import re

import pytest

from tests.unit.deploy.bicep import Resource, bicep
from tests.unit.deploy.deployment import deployed, names, resources
from tests.unit.deploy.shapes import problems, schemas

RESOURCES = resources()


@pytest.mark.parametrize("resource", RESOURCES, ids=[one.symbol for one in RESOURCES])
def test_a_resource_has_no_property_and_no_value_that_its_type_does_not_have(resource: Resource) -> None:
    schema = schemas()[f"{resource.type}@{resource.version}"]
    assert problems(resource.config, schema) == []


def test_no_schema_is_kept_of_a_type_that_nothing_here_has() -> None:
    assert set(schemas()) == {f"{one.type}@{one.version}" for one in RESOURCES}


def test_a_property_that_there_is_none_of_is_found() -> None:
    queue = deployed("modules/messaging").resources()[1]
    queue.config["properties"]["maxDeliveries"] = queue.config["properties"].pop("maxDeliveryCount")
    schema = schemas()["Microsoft.ServiceBus/namespaces/queues@2024-01-01"]
    assert problems(queue.config, schema) == [".properties.maxDeliveries: there is no such property"]


def test_a_value_of_another_kind_is_found() -> None:
    pool = deployed("modules/pool").resource("pool")
    pool["properties"]["scaleConfiguration"]["maxConcurrentSessions"] = "20"
    pool["properties"]["sessionNetworkConfiguration"]["status"] = "Disabled"
    del pool["location"]
    found = problems(pool, schemas()["Microsoft.App/sessionPools@2025-07-01"])
    assert [problem.split(":")[0] for problem in found] == [
        ".location",
        ".properties.scaleConfiguration.maxConcurrentSessions",
        ".properties.sessionNetworkConfiguration.status",
    ]


def test_what_is_read_of_a_resource_is_there_to_be_read() -> None:
    read = [
        (symbol, *found)
        for name in names()
        for symbol in bicep(name).part("resources")
        for found in [(name, one) for one in re.findall(rf"\b{symbol}\.properties\.(\w+)", bicep(name).text)]
    ]
    assert read
    for symbol, name, one in read:
        resource = bicep(name).part("resources")[symbol]
        schema = schemas()[f"{resource['type']}@{resource['api_version']}"]
        assert one in schema["properties"]["properties"]["properties"], f"{symbol}.{one} in {name}"


def test_each_type_is_used_in_one_version() -> None:
    versions: dict[str, set[str]] = {}
    for name in names():
        for resource in bicep(name).part("resources").values():
            versions.setdefault(resource["type"], set()).add(resource["api_version"])
    assert {kind: found for kind, found in versions.items() if len(found) > 1} == {}
