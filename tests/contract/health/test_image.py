"""The worker's image, as far as it can be looked at without building it."""

import asyncio
import os
import re
import sys
import tomllib

import pytest

from tests.contract.health.dockerfile import ROOT, environment, instructions, stages, value, words
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


def test_the_health_check_asks_the_port_that_is_served() -> None:
    assert environment()["JSWORKER_HEALTH_PORT"] == value("EXPOSE")


def test_it_runs_as_a_user_without_rights() -> None:
    assert int(value("USER")) > 0


def test_every_stage_comes_from_the_base_that_was_given() -> None:
    bases = [instruction.value for stage in stages() for instruction in stage if instruction.name == "FROM"]
    assert [base.split()[0] for base in bases] == ["${BASE_IMAGE}"] * 2
    assert instructions()[0].value == "BASE_IMAGE=python:3.11-slim"


def test_what_is_installed_from_elsewhere_is_locked_by_hashes() -> None:
    commands = [
        part.strip()
        for stage in stages()
        for instruction in stage
        if instruction.name == "RUN"
        for part in instruction.value.split("&&")
    ]
    installs = [command for command in commands if re.search(r"\bpip (install|wheel)\b", command)]
    assert len(installs) == 4
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command or "--no-build-isolation" in command


@pytest.mark.parametrize("lock", ["run.txt", "build.txt"])
def test_every_package_of_a_lock_has_hashes_and_none_is_node(lock: str) -> None:
    packages = re.split(r"\n(?=\S)", (ROOT / "deploy/locks" / lock).read_text().strip())
    assert all(re.match(r"[a-z0-9.-]+==\S+ \\\n +--hash=sha256:", package) for package in packages)
    assert not any(package.startswith("node") for package in packages)


def test_the_build_has_the_packages_that_the_project_asks_for() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    locked = (ROOT / "deploy/locks/build.txt").read_text()
    assert all(f"{package} \\\n" in locked for package in wanted)


def test_all_that_is_copied_is_given_to_the_build() -> None:
    given = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines()}
    copied = [
        source
        for stage in stages()[:-1]
        for instruction in stage
        if instruction.name == "COPY"
        for source in instruction.value.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert source in given
        assert (ROOT / source).exists()
