"""The local stack as a whole, with stand-ins for what a test is not about."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from worker.local.background import running
from worker.local.config import StackConfig
from worker.local.process import Process
from worker.local.stack import LocalStack
from worker.local.state import StateDirectory
from worker.local.supervised import Command, StackError

StandIns = Callable[..., Callable[[StackConfig, StateDirectory], dict[str, Command]]]


def children(state_dir: Path) -> dict[str, int]:
    stack = json.loads((state_dir / "stack.json").read_text())
    return {role: child["pid"] for role, child in stack["children"].items()}


async def test_the_environment_is_all_that_a_worker_needs(tmp_path: Path, stand_ins: StandIns) -> None:
    config = StackConfig(state_dir=tmp_path / "state", max_sessions=7)
    async with LocalStack(config, stand_ins()) as stack:
        environment = stack.environment
        assert running(config.state_dir) == environment
    assert environment["JSWORKER_SERVICEBUS_CONNECTION_STRING"].endswith(";UseDevelopmentEmulator=true")
    assert environment["JSWORKER_QUEUE"] == "jobs"
    assert environment["JSWORKER_MAX_SESSIONS"] == "7"
    assert environment["JSWORKER_POOL_ENDPOINT"].startswith("http://127.0.0.1:")
    assert len(environment["JSWORKER_POOL_TOKEN"]) > 40
    assert running(config.state_dir) is None


async def test_the_containers_are_there_as_after_a_deployment(tmp_path: Path, stand_ins: StandIns) -> None:
    async with LocalStack(StackConfig(state_dir=tmp_path), stand_ins(real=("blobs",))) as stack:
        address = stack.environment["JSWORKER_STORAGE_CONNECTION_STRING"]
        with BlobServiceClient.from_connection_string(address) as blobs:
            found = await asyncio.to_thread(lambda: {container.name for container in blobs.list_containers()})
    assert found == {"submissions", "inputs", "results"}


async def test_what_it_keeps_is_for_its_owner_alone(tmp_path: Path, stand_ins: StandIns) -> None:
    state_dir = tmp_path / "state"
    async with LocalStack(StackConfig(state_dir=state_dir), stand_ins(real=("blobs", "broker"))):
        modes = {path: path.stat().st_mode & 0o777 for path in [state_dir, *state_dir.rglob("*")]}
    assert {path for path, mode in modes.items() if mode not in {0o700, 0o600}} == set()


async def test_another_run_has_the_ports_and_keys_of_the_one_before(
    tmp_path: Path, stand_ins: StandIns
) -> None:
    environments = []
    for _ in range(2):
        async with LocalStack(StackConfig(state_dir=tmp_path), stand_ins()) as stack:
            environments.append(stack.environment)
    assert environments[0] == environments[1]


async def test_a_port_taken_meanwhile_is_replaced(tmp_path: Path, stand_ins: StandIns) -> None:
    async with LocalStack(StackConfig(state_dir=tmp_path), stand_ins()) as stack:
        before = stack.environment["JSWORKER_POOL_ENDPOINT"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(before.rpartition(":")[2])))
        other.listen()
        async with LocalStack(StackConfig(state_dir=tmp_path), stand_ins()) as stack:
            assert stack.environment["JSWORKER_POOL_ENDPOINT"] != before


async def test_a_second_stack_on_the_same_directory_is_refused_with_the_first_ones_process(
    tmp_path: Path, stand_ins: StandIns
) -> None:
    async with LocalStack(StackConfig(state_dir=tmp_path), stand_ins()):
        with pytest.raises(StackError, match=rf"process {os.getpid()}.*jsworker local down"):
            await LocalStack(StackConfig(state_dir=tmp_path), stand_ins()).__aenter__()


async def test_when_one_does_not_start_the_reason_is_told_and_the_others_are_stopped(
    tmp_path: Path, stand_ins: StandIns
) -> None:
    with pytest.raises(StackError, match=r"(?s)pool did not start.*no room for me"):
        await LocalStack(StackConfig(state_dir=tmp_path), stand_ins(pool="fails")).__aenter__()
    assert running(tmp_path) is None


@pytest.mark.parametrize("role", ["broker", "pool", "blobs"])
async def test_when_one_dies_later_the_stack_fails(tmp_path: Path, stand_ins: StandIns, role: str) -> None:
    async with LocalStack(StackConfig(state_dir=tmp_path), stand_ins()) as stack:
        os.kill(children(tmp_path)[role], signal.SIGKILL)
        async with asyncio.timeout(5):
            with pytest.raises(StackError, match=rf"The {role} ended \(killed by SIGKILL\)"):
                await stack.failed()


async def test_children_left_by_a_killed_stack_are_ended_before_others_start(
    tmp_path: Path, stand_ins: StandIns
) -> None:
    async with LocalStack(StackConfig(state_dir=tmp_path), stand_ins()):
        record = json.loads((tmp_path / "stack.json").read_text())
    left = await asyncio.create_subprocess_exec("sleep", "60")
    process = Process.of(left.pid)
    assert process
    (tmp_path / "stack.json").write_text(json.dumps(record | {"children": {"broker": vars(process)}}))
    async with LocalStack(StackConfig(state_dir=tmp_path), stand_ins()):
        assert not process.is_running
    await left.wait()


async def test_a_pid_that_was_given_out_again_is_left_alone(tmp_path: Path, stand_ins: StandIns) -> None:
    other = await asyncio.create_subprocess_exec("sleep", "60")
    record = {"children": {"broker": {"pid": other.pid, "start_time": "1"}}}
    (tmp_path / "stack.json").write_text(json.dumps(record))
    async with LocalStack(StackConfig(state_dir=tmp_path), stand_ins()):
        assert other.returncode is None
    other.kill()
    assert await other.wait() == -signal.SIGKILL
