"""The files agree with each other: what one declares, others give and use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.unit.deploy.bicep import INFRA, bicep
from tests.unit.deploy.deployment import names
from tests.unit.deploy.words import names_used, undeclared

if TYPE_CHECKING:
    from collections.abc import Iterator

FOR_PEOPLE = {  # outputs of main.bicep that worker.bicepparam does not read
    "AZURE_RESOURCE_GROUP",  # azd itself
    "JSWORKER_SERVICEBUS_NAMESPACE",  # clients
    "JSWORKER_PERMIT_LEASES",  # a worker on a desk, and the doctor there
    "SESSION_POOL_NAME",
    "SUBMITTER_IDENTITY_NAME",
    "READER_IDENTITY_NAME",
}
BY_AZD = {"AZURE_ENV_NAME", "AZURE_LOCATION", "SERVICE_WORKER_IMAGE_NAME"}


def modules() -> Iterator[tuple[str, str, str, set[str]]]:
    """Each module's file and user, its symbol there and the parameters that it is given."""
    for name in names():
        for symbol, one in bicep(name).part("modules").items():
            path = one["detail"]["path"].removesuffix(".bicep")
            config = one["config"].get("config", one["config"])
            yield path, name, symbol, set(config["params"])


@pytest.mark.parametrize("name", names())
def test_every_name_that_is_used_is_declared(name: str) -> None:
    assert undeclared(bicep(name)) == set()


@pytest.mark.parametrize("name", names())
def test_every_parameter_and_variable_is_used(name: str) -> None:
    file = bicep(name)
    assert set(file.part("parameters")) | set(file.part("variables")) <= names_used(file)


@pytest.mark.parametrize(("path", "user", "symbol", "given"), list(modules()))
def test_a_module_is_given_its_parameters_and_no_others(
    path: str, user: str, symbol: str, given: set[str]
) -> None:
    parameters = bicep(path).part("parameters")
    required = {key for key, one in parameters.items() if one["default"] is None}
    assert required <= given <= set(parameters), f"{symbol} of {user}"


@pytest.mark.parametrize(("path", "user", "symbol", "given"), list(modules()))
def test_every_output_of_a_module_is_used(path: str, user: str, symbol: str, given: set[str]) -> None:
    used = set(re.findall(rf"\b{symbol}\.outputs\.(\w+)", bicep(user).text))
    assert used == set(bicep(path).part("outputs")), f"given {given}"


def test_every_file_is_part_of_the_deployment() -> None:
    used = {path for path, *_ in modules()}
    assert {"main", *used} == set(names())


@pytest.mark.parametrize("name", ["main", "worker"])
def test_a_parameter_file_gives_the_parameters_of_its_template(name: str) -> None:
    text = (INFRA / f"{name}.bicepparam").read_text()
    parameters = bicep(name).part("parameters")
    given = re.findall(r"^param (\w+) =", text, re.MULTILINE)
    required = {key for key, one in parameters.items() if one["default"] is None}
    assert f"using './{name}.bicep'" in text
    assert len(given) == len(set(given))
    assert required <= set(given) <= set(parameters)


@pytest.mark.parametrize("name", ["main", "worker"])
def test_a_parameter_file_reads_numbers_and_switches_as_what_they_are(name: str) -> None:
    text = (INFRA / f"{name}.bicepparam").read_text()
    functions = {"int": "int(", "bool": "bool(", "string": ""}
    for parameter, value in re.findall(r"^param (\w+) = (.*)$", text, re.MULTILINE):
        kind = bicep(name).part("parameters")[parameter]["type"]
        assert value.startswith(f"{functions[kind]}readEnvironmentVariable("), parameter


def test_the_defaults_of_the_parameter_file_are_those_of_the_template() -> None:
    text = (INFRA / "main.bicepparam").read_text()
    found = re.findall(r"^param (\w+) = .*readEnvironmentVariable\('\w+', '(.*?)'\)", text, re.MULTILINE)
    defaults = {key: one["default"] for key, one in bicep("main").part("parameters").items()}
    assert dict(found) == {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in defaults.items()
        if value is not None
    }


def test_what_the_worker_s_file_reads_is_put_out_by_the_other_one_or_set_by_azd() -> None:
    text, main = (INFRA / "worker.bicepparam").read_text(), (INFRA / "main.bicepparam").read_text()
    read = set(re.findall(r"readEnvironmentVariable\('(\w+)'", text))
    options = set(re.findall(r"readEnvironmentVariable\('(\w+)'", main))
    outputs = set(bicep("main").part("outputs"))
    assert read <= outputs | options | BY_AZD
    assert outputs == (read & outputs) | FOR_PEOPLE


def test_the_worker_is_given_the_same_by_azd_as_by_the_template_that_has_it_all() -> None:
    main, text = bicep("main"), (INFRA / "worker.bicepparam").read_text()
    inner = main.part("modules")["worker"]["config"]["config"]["params"]
    by_azd = dict(re.findall(r"^param (\w+) = .*readEnvironmentVariable\('(\w+)'", text, re.MULTILINE))
    outputs = {key: one["value"] for key, one in main.part("outputs").items()}
    differ = {
        parameter
        for parameter, variable in by_azd.items()
        if variable in outputs and outputs[variable] != inner[parameter]
    }
    assert differ == {"queueName"}  # an output that waits for the queue; the name is the same
    assert set(inner) - set(by_azd) == {"location"}
