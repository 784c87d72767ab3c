"""What the Azure Developer CLI, the portal and the worker expect to find."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.unit.deploy.bicep import DEPLOY, INFRA, bicep
from tests.unit.deploy.deployment import GIVEN, deployed, resources
from tests.unit.deploy.test_numbers import environment
from worker.cli.schedule import command as schedule_command
from worker.routes_file import parse_routes
from worker.schedules_file import load_schedules
from worker.settings import ClientSettings, WorkerSettings, load

AZD = yaml.safe_load((DEPLOY / "azure.yaml").read_text())
SHARED = {  # names that the documentation and the scripts go by
    "parameters": "environmentName location poolSessions sessionsPerReplica cooldownSeconds egress queueName "
    "resultsRetentionDays submitterPrincipalId readerPrincipalId alertEmail workerImage",
    "outputs": "AZURE_RESOURCE_GROUP AZURE_CONTAINER_REGISTRY_ENDPOINT JSWORKER_SERVICEBUS_NAMESPACE "
    "JSWORKER_STORAGE_ACCOUNT_URL JSWORKER_POOL_ENDPOINT JSWORKER_MAX_SESSIONS JSWORKER_QUEUE "
    "WORKER_APP_NAME SESSION_POOL_NAME",
}


@pytest.mark.parametrize("kind", SHARED)
def test_the_names_that_others_go_by_are_there(kind: str) -> None:
    assert set(SHARED[kind].split()) <= set(bicep("main").part(kind))


def test_azd_finds_the_templates_and_builds_the_image_of_this_repository() -> None:
    service = AZD["services"]["worker"]
    project = DEPLOY / service["project"]
    assert (project / service["docker"]["path"]).samefile(DEPLOY.parent / "Dockerfile")
    assert (project / service["docker"]["context"]).samefile(DEPLOY.parent)
    assert (DEPLOY / AZD["infra"]["path"]).samefile(INFRA)
    assert (INFRA / f"{AZD['infra']['module']}.bicepparam").is_file()
    assert service["host"] == "containerapp"


def test_azd_deploys_the_worker_by_the_template_with_the_service_s_name() -> None:
    for name in AZD["services"]:
        assert (INFRA / f"{name}.bicep").is_file()
        assert (INFRA / f"{name}.bicepparam").is_file()
    assert list(AZD["services"]) == ["worker"]


def test_azd_forgets_what_it_deployed_last_so_that_changed_settings_are_deployed_too() -> None:
    (service,) = AZD["services"]
    name, value = AZD["hooks"]["predeploy"]["run"].removeprefix("azd env set ").split()
    assert name == f"SERVICE_{service.upper()}_TEMPLATE_HASH"
    assert not re.fullmatch(r"[0-9a-f]{64}", value)


def test_azd_finds_what_it_has_made_by_tags() -> None:
    group = deployed("main", environmentName="here").resource("group")
    assert group["tags"] == {"azd-env-name": "here"}
    assert deployed("worker", environmentName="here").resource("app")["tags"] == {
        "azd-env-name": "here",
        "azd-service-name": "worker",
    }
    tagged = [one.symbol for one in resources() if "azd-service-name" in str(one.config.get("tags"))]
    assert tagged == ["app"]


def test_the_worker_is_left_to_azd_unless_there_is_an_image() -> None:
    module = bicep("main").part("modules")["worker"]["config"]
    assert deployed("main", workerImage="").value(module["condition"]) is False
    assert deployed("main", workerImage="an/image:1").value(module["condition"]) is True


@pytest.mark.parametrize(("app", "settings"), [("app", WorkerSettings), ("supply", ClientSettings)])
def test_each_variable_of_a_container_is_a_setting(app: str, settings: type[ClientSettings]) -> None:
    given = environment(app)
    own = {name.removeprefix("JSWORKER_").lower() for name in given if name.startswith("JSWORKER_")}
    assert own <= set(settings.model_fields)
    assert {name for name in given if not name.startswith("JSWORKER_")} == {"AZURE_CLIENT_ID"}


def test_the_settings_of_the_container_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment("app").items():
        monkeypatch.setenv(name, value if isinstance(value, str) else "https://example.com")
    monkeypatch.setenv("JSWORKER_WEBHOOK_SECRET", "whsec_" + "A" * 32)
    settings = load(WorkerSettings)
    assert (settings.max_sessions, settings.permit_leases) == (GIVEN["poolSessions"], True)
    assert [str(one) for one in settings.webhook_hosts]


def test_the_command_of_the_scheduler_is_one() -> None:
    args = deployed("worker").resource("supply")["properties"]["template"]["containers"][0]["args"]
    assert args[0] == "schedule"
    context = schedule_command.commands["sync"].make_context(
        "sync", [str(INFRA / "config/schedules.yaml"), *args[3:]]
    )
    assert context.params["horizon"] == float(args[-1])


@pytest.mark.parametrize(("app", "name"), [("app", "routes"), ("supply", "schedules")])
def test_a_container_finds_its_file_where_it_looks_for_it(app: str, name: str) -> None:
    properties = deployed("worker").resource(app)["properties"]
    (container,), (volume,) = properties["template"]["containers"], properties["template"]["volumes"]
    (mount,), (file,) = container["volumeMounts"], volume["secrets"]
    secrets = {one["name"]: one["value"] for one in properties["configuration"]["secrets"]}
    path = f"{mount['mountPath']}/{file['path']}"
    assert mount["volumeName"] == volume["name"]
    assert path in {*container["args"], *environment(app).values()} & {f"/etc/jsworker/{name}.yaml"}
    assert secrets[file["secretRef"]] == (INFRA / "config" / f"{name}.yaml").read_text()


def test_what_is_off_leaves_nothing_behind() -> None:
    scope = deployed("worker", incoming=False, schedules=False, webhookHosts="")
    app = scope.resource("app")["properties"]
    assert [one.symbol for one in scope.resources() if not one.existing] == ["app"]
    assert [one["name"] for one in app["configuration"]["secrets"]] == ["application-insights"]
    assert app["template"]["volumes"] == []
    assert app["template"]["containers"][0]["volumeMounts"] == []
    assert "JSWORKER_ROUTES" not in environment("app", incoming=False)


def test_the_routes_and_schedules_that_come_with_it_can_be_used() -> None:
    routes = parse_routes((INFRA / "config/routes.yaml").read_bytes())
    assert [route.name for route in routes.routes] == ["run-upload"]
    schedules = load_schedules(INFRA / "config/schedules.yaml")
    assert [one.name for one in schedules.schedules] == ["heartbeat"]


def test_event_grid_tells_of_the_container_whose_blobs_are_routed() -> None:
    created = deployed("modules/uploads").resource("created")["properties"]
    assert created["filter"]["subjectBeginsWith"] == "/blobServices/default/containers/incoming/"
    assert "/containers/incoming/blobs/" in (INFRA / "config/routes.yaml").read_text()
    assert created["filter"]["includedEventTypes"] == ["Microsoft.Storage.BlobCreated"]


def test_no_secret_is_put_out_or_has_a_value_in_a_file() -> None:
    for name in ("main", "worker"):
        secret = bicep(name).part("parameters")["webhookSecret"]
        assert {"type": "secure"} in secret["decorators"]
        assert secret["default"] in (None, "")
    assert not re.search(r"output \w*(SECRET|KEY|CONNECTION)", bicep("main").text)


def test_the_workbook_is_one() -> None:
    book = json.loads((INFRA / "workbook.json").read_text())
    queries = [one["content"] for one in book["items"] if one["type"] == 3]
    assert book["version"] == "Notebook/1.0"
    assert all(one["timeContextFromParameter"] == "span" for one in queries)
    assert len({one["title"] for one in queries}) == len(queries) > 10
