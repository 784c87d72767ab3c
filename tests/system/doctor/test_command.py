"""The command as a process: its report, its exit status, and that it cleans up when it is interrupted."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from typing import TYPE_CHECKING, Any

from tests.system.doctor.conftest import SESSIONS
from tests.system.doctor.stack import POOL
from tests.system.worker.processes import COMMAND, ROOT, environment, run
from tests.system.worker.services import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.doctor.stack import Stack

INTERRUPTED = 130


def test_an_interrupt_in_mid_check_leaves_no_session_and_no_blob(stack: Stack) -> None:
    stack.have({"pool": {"allocation_seconds": 2}})
    command = [*COMMAND, "doctor", "--only", "pool"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, env=environment(stack.environment), stderr=subprocess.PIPE
    ) as doctor:
        assert eventually(stack.services.sessions)[0].startswith("doctor-")
        doctor.send_signal(signal.SIGINT)
        assert doctor.wait(30) == INTERRUPTED
    assert stack.left_behind() == []


def test_a_probe_answers_what_is_not_known_of_pools_and_its_report_tells_no_secret(
    stack: Stack, tmp_path: Path
) -> None:
    stack.have({})
    file = tmp_path / "pool.md"
    done = run(
        "doctor",
        "--json",
        "--only",
        "pool",
        "--probe-full",
        "--report",
        str(file),
        settings=stack.environment,
    )
    assert done.returncode == 0, done.stderr
    found = {each["check"]: each for each in json.loads(done.stdout)["findings"]}
    assert (found["pool-size"]["status"], found["pool-size"]["facts"]["sessions_taken"]) == ("ok", SESSIONS)
    document = json.loads(file.with_suffix(".json").read_text())
    facts = {reply["id"]: reply["facts"] for reply in document["replies"]}
    assert facts["delete"]["status"] == 204
    assert "Error: an error of the doctor" in facts["js-error"]["stderr"]
    assert facts["timeout-above-220"] == {"status": 400}
    assert facts["output-streams-max-length"]["arrived"]["123456"] == 123456
    assert facts["place"]["folder"] == "/mnt/data"
    assert facts["full-pool"]["status"] == 429
    assert file.read_text().count("\n## ") == len(facts)
    assert secrets_in(file.read_text() + json.dumps(document), stack.environment) == []


def secrets_in(text: str, settings: dict[str, str]) -> list[Any]:
    """What of the settings and of sessions is told by a report."""
    told = [name for name in (POOL, "JSWORKER_POOL_TOKEN") if settings[name] in text]
    return told + re.findall(r"doctor-[0-9a-f]{32}|127\.0\.0\.1|/local\b", text)
