from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.azure_commands import calls
from tests.azure_commands.shell import Word, commands
from tests.azure_commands.table import problems
from worker import settings

CLI = Path(__file__).parents[3] / "deploy" / "cli"
STEPS = ["1-prepare", "2-pool", "4-queue-and-storage", "5-image", "6-worker", "8-remove", "environment"]
RECORDING = """#!/bin/bash
{ printf '%s\\037' "${0##*/}" "$@"; printf '\\036'; } >>"$CALLS"
"""
# answers each question about a resource by what it asks for, as a word
AZ = """
while [ $# -gt 0 ]; do
  [ "$1" = --query ] && case $2 in *ndpoint) echo https://pool.example;; *) echo "the-${2##*.}";; esac
  shift
done
exit "${AZ_EXIT:-0}"
"""
# takes the token from standard input; the call is refused as often as there are lines in the file
CURL = """
cat >>"$TOKENS"; echo >>"$TOKENS"
if [ -s "$REFUSALS" ]; then sed -i 1d "$REFUSALS"; exit 22; fi
echo '{"status": "Succeeded"}'
"""


@dataclass(frozen=True)
class Ran:
    """What became of a script, and what it called."""

    status: int
    stdout: str
    calls: list[list[str]]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with an az, a curl and a jsworker that tell how they were called."""
    for name, body in (("az", AZ), ("curl", CURL), ("jsworker", "")):
        (tmp_path / name).write_text(RECORDING + body)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run(programs: Path, script: str, *arguments: str, **environ: str) -> Ran:
    files = {"CALLS": "calls", "TOKENS": "tokens", "REFUSALS": "refusals"}
    (programs / "calls").write_text("")
    done = subprocess.run(  # noqa: S603 - the scripts of this project
        ["/bin/bash", str(CLI / f"{script}.sh"), *arguments],
        env={"PATH": f"{programs}:/usr/bin:/bin"}
        | {k: str(programs / f) for k, f in files.items()}
        | environ,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    told = (programs / "calls").read_text().split("\036")[:-1]
    return Ran(done.returncode, done.stdout, [call.split("\037")[:-1] for call in told])


def following(call: list[str], option: str) -> str:
    return call[call.index(option) + 1]


@pytest.mark.parametrize("script", STEPS)
def test_a_script_calls_az_as_az_takes_it(programs: Path, script: str) -> None:
    ran = run(programs, script)
    table, _ = calls.stored()
    assert ran.status == 0
    assert len(ran.calls) > 1
    wrong = {" ".join(call): problems([Word(word) for word in call], table) for call in ran.calls}
    assert {call: found for call, found in wrong.items() if found} == {}


@pytest.mark.parametrize("script", STEPS)
def test_a_second_run_means_the_same_resources(programs: Path, script: str) -> None:
    assert run(programs, script).calls == run(programs, script).calls


@pytest.mark.parametrize("script", [*STEPS, "3-first-call", "7-batch"])
def test_a_refusal_of_az_ends_a_script(programs: Path, script: str) -> None:
    assert run(programs, script, AZ_EXIT="3").status == 3


def test_names_that_must_be_free_everywhere_are_such_as_azure_takes(programs: Path) -> None:
    made = {tuple(call[1:4]): call for script in STEPS for call in run(programs, script).calls}
    namespace = following(made["servicebus", "namespace", "create"], "--name")
    account = following(made["storage", "account", "create"], "--name")
    registry = next(call for key, call in made.items() if key[:2] == ("acr", "create"))
    assert re.fullmatch(r"[a-z][a-z0-9-]{4,48}[a-z0-9]", namespace)
    assert re.fullmatch(r"[a-z0-9]{3,24}", account)
    assert re.fullmatch(r"[a-zA-Z0-9]{5,50}", following(registry, "--name"))


def test_roles_are_given_at_queues_containers_the_pool_and_the_registry_alone(programs: Path) -> None:
    grants = [
        (following(call, "--role"), following(call, "--scope").split("/providers/", 1)[1])
        for script in STEPS
        for call in run(programs, script).calls
        if call[1:4] == ["role", "assignment", "create"]
    ]
    narrow = r"Microsoft[.](App/sessionPools|ContainerRegistry/registries|.*/(queues|containers))/[^/]+"
    assert len(grants) > 10
    assert [grant for grant in grants if not re.fullmatch(narrow, grant[1])] == []


def test_the_worker_is_given_settings_that_it_takes(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (create,) = [c for c in run(programs, "6-worker").calls if c[1:3] == ["containerapp", "create"]]
    begin = create.index("--env-vars") + 1
    given = dict(word.split("=", 1) for word in create[begin : create.index("--output")])
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert settings.load(settings.WorkerSettings).max_sessions == 20
    known = {f"JSWORKER_{field}".upper() for field in settings.WorkerSettings.model_fields}
    assert set(given) - known == {"AZURE_CLIENT_ID"}
    assert int(following(create, "--max-replicas")) == 2
    grace = settings.load(settings.WorkerSettings).shutdown_grace_seconds
    assert int(following(create, "--termination-grace-period")) > grace


def test_a_desk_is_given_settings_that_its_commands_take(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in run(programs, "environment").stdout.splitlines():
        name, value = line.removeprefix("export ").split("=", 1)
        monkeypatch.setenv(name, value)
    settings.load(settings.ClientSettings)
    settings.load(settings.WorkerSettings)


def test_sizes_can_be_set_in_the_environment(programs: Path) -> None:
    pool, _ = [
        c for c in run(programs, "2-pool", POOL_SESSIONS="7").calls if c[1] in ("containerapp", "role")
    ]
    assert following(pool, "--max-sessions") == "7"
    assert following(pool, "--network-status") == "EgressDisabled"


def test_the_first_call_shows_its_token_to_nobody_and_frees_its_session(programs: Path) -> None:
    ran = run(programs, "3-first-call")
    execute, delete = [call for call in ran.calls if call[0] == "curl"]
    body = json.loads(following(execute, "--data"))
    assert ran.status == 0
    assert list(body) == ["code"]
    assert "the-accessToken" not in " ".join([*execute, *delete])
    assert (programs / "tokens").read_text() == "Authorization: Bearer the-accessToken\n" * 2
    session = execute[execute.index("POST") + 1].partition("?")
    assert session[0] == "https://pool.example/executions"
    assert delete[delete.index("DELETE") + 1] == f"https://pool.example/session?{session[2]}"


def test_a_first_call_that_is_refused_is_made_again_with_a_new_token(programs: Path) -> None:
    (programs / "refusals").write_text("1\n2\n")
    ran = run(programs, "3-first-call", PAUSE_SECONDS="0")
    assert ran.status == 0
    assert [call[0] for call in ran.calls].count("curl") == 4
    assert sum("get-access-token" in call for call in ran.calls) == 4


def test_a_first_call_that_is_always_refused_ends_with_an_error(programs: Path) -> None:
    (programs / "refusals").write_text("no\n" * 99)
    assert run(programs, "3-first-call", PAUSE_SECONDS="0").status == 1


def test_a_batch_is_checked_submitted_watched_and_shown(programs: Path) -> None:
    ran = run(programs, "7-batch", "hw7")
    steps = [call[1] for call in ran.calls if call[0] == "jsworker"]
    assert steps == ["doctor", "submit", "watch", "results"]
    submit = next(call for call in ran.calls if call[:2] == ["jsworker", "submit"])
    assert Path(submit[2]).is_dir()
    assert Path(following(submit, "--cases")).is_file()
    assert following(submit, "--batch") == "hw7"


def test_scripts_stop_at_the_first_failure_and_at_names_that_are_not_set() -> None:
    for script in CLI.glob("[0-9e]*.sh"):
        assert ["set", "-euo", "pipefail"] in [
            [w.text for w in c.words] for c in commands(script.read_text())
        ]
        assert os.access(script, os.X_OK), script
