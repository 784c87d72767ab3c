"""The faults of a local stack as a whole: from one file, once it is ready."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.storage.blob import BlobServiceClient

from tests.system.worker.services import eventually
from worker.local.config import StackConfig
from worker.local.stack import LocalStack
from worker.local.state import StateDirectory
from worker.local.supervised import Command, StackError

StandIns = Callable[..., Callable[[StackConfig, StateDirectory], dict[str, Command]]]


def containers(environment: dict[str, str]) -> str:
    """What asking for the containers comes to."""
    address = environment["JSWORKER_STORAGE_CONNECTION_STRING"]
    with BlobServiceClient.from_connection_string(address, retry_total=0) as blobs:
        try:
            return ",".join(sorted(container.name for container in blobs.list_containers()))
        except HttpResponseError as error:
            return f"status {error.status_code}"
        except (ServiceRequestError, ServiceResponseError):
            return "no answer"


async def test_a_stack_gets_ready_before_its_services_fail_and_recovers_when_the_file_says_so(
    tmp_path: Path, stand_ins: StandIns
) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"blobs": {"down": True}}))
    config = StackConfig(state_dir=tmp_path / "state", faults_file=file)
    async with LocalStack(config, stand_ins(real=("blobs",))) as stack:
        eventually(lambda: containers(stack.environment) == "no answer")
        file.write_text(json.dumps({"blobs": {"busy_rate": 1}}))
        eventually(lambda: containers(stack.environment) == "status 503")
        file.write_text("{}")
        eventually(lambda: containers(stack.environment) == "inputs,results,submissions")
    assert file.exists()
    assert not list((tmp_path / "state").glob("faults*"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [('{"broker": {"hnag": true}}', r"broker\.hnag"), (None, "No such file")],
)
async def test_a_file_that_cannot_be_used_keeps_the_stack_from_starting(
    tmp_path: Path, stand_ins: StandIns, text: str | None, problem: str
) -> None:
    file = tmp_path / "faults.json"
    if text is not None:
        file.write_text(text)
    config = StackConfig(state_dir=tmp_path / "state", faults_file=file)
    with pytest.raises(StackError, match=problem):
        await LocalStack(config, stand_ins()).__aenter__()
