"""The images, as far as they can be looked at without building them."""

import asyncio
import os
import re
import sys
import tomllib

import pytest

from tests.contract.health.dockerfile import (
    LOCAL,
    ROOT,
    WORKER,
    commands,
    environment,
    instructions,
    stages,
    value,
    words,
)
from worker.health import serve_health
from worker.vitals import Vitals


async def probe(port: int) -> int:
    """The exit status of the image's own health check."""
    program, *arguments = words("HEALTHCHECK")
    assert program == "python"
    settings = {
        "JSWORKER_HEALTH_PORT": str(port),
        "http_proxy": "http://127.0.0.1:9",
        "PATH": os.environ["PATH"],
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=settings, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def test_the_health_check_tells_a_worker_that_lives_from_one_that_does_not() -> None:
    vitals = Vitals()
    async with serve_health(vitals, 0) as port:
        assert port
        assert await probe(port) == 0
        vitals.expect("slot-0", -1)
        assert await probe(port) == 1
    assert await probe(port) == 1


def test_the_worker_is_the_first_process_itself_and_hears_the_signal_that_ends_it() -> None:
    assert words("ENTRYPOINT") == ["jsworker"]
    assert words("CMD") == ["run"]
    assert value("STOPSIGNAL") == "SIGTERM"


def test_the_worker_s_image_can_be_built_without_buildkit_as_in_an_azure_registry() -> None:
    new = re.compile(r"--(mount|chmod|link|parents)\b|<<")
    assert [one.value for one in instructions() if new.search(one.value)] == []
    assert not (ROOT / WORKER).read_text().startswith("# syntax")


def test_the_first_run_downloads_and_no_other_so_that_it_alone_is_given_a_build_s_secrets() -> None:
    runs = [
        "pip install" in one.value or "apt-get" in one.value for one in instructions() if one.name == "RUN"
    ]
    assert runs[0]
    assert not any(runs[1:])


def test_the_health_check_asks_the_port_that_is_served() -> None:
    assert environment()["JSWORKER_HEALTH_PORT"] == value("EXPOSE")


@pytest.mark.parametrize("file", [WORKER, LOCAL])
def test_it_runs_as_a_user_without_rights(file: str) -> None:
    assert all(int(each) > 0 for each in value("USER", file).split(":"))


@pytest.mark.parametrize("file", [WORKER, LOCAL])
def test_every_stage_comes_from_the_base_that_was_given(file: str) -> None:
    bases = [each.value for stage in stages(file) for each in stage if each.name == "FROM"]
    assert [base.split()[0] for base in bases] == ["${BASE_IMAGE}"] * 2
    assert instructions(file)[0].value == "BASE_IMAGE=python:3.11-slim"


@pytest.mark.parametrize("file", [WORKER, LOCAL])
def test_what_is_installed_from_elsewhere_is_locked_by_hashes(file: str) -> None:
    installs = [each for each in commands(file) if re.search(r"\bpip\b.* (install|wheel) |\bnpm ", each)]
    assert len(installs) >= 4
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command or " npm ci " in command


def test_the_worker_is_without_the_local_stack() -> None:
    assert "rm -r worker/local" in commands()


@pytest.mark.parametrize("lock", ["run.txt", "build.txt", "local.txt"])
def test_every_package_of_a_lock_has_hashes_and_only_the_local_stack_has_node(lock: str) -> None:
    packages = re.split(r"\n(?=\S)", (ROOT / "deploy/locks" / lock).read_text().strip())
    assert all(re.match(r"[a-z0-9.-]+==\S+ \\\n +--hash=sha256:", package) for package in packages)
    assert any(package.startswith("node") for package in packages) == (lock == "local.txt")


def test_the_build_has_the_packages_that_the_project_asks_for() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    locked = (ROOT / "deploy/locks/build.txt").read_text()
    assert all(f"{package} \\\n" in locked for package in wanted)


@pytest.mark.parametrize("file", [WORKER, LOCAL])
def test_all_that_is_copied_is_given_to_the_build(file: str) -> None:
    given = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines()}
    copied = [
        source
        for stage in stages(file)[:-1]
        for instruction in stage
        if instruction.name == "COPY"
        for source in instruction.value.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert source in given or source.startswith("worker/")
        assert (ROOT / source).exists()
