"""A batch graded with wrong cases: graded again, compared, promoted, and put back."""

import json
import secrets
from functools import partial
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage
from click.testing import CliRunner, Result

from tests.system.worker.processes import working
from tests.system.worker.services import Services, eventually
from worker.cli import main

pytestmark = pytest.mark.usefixtures("logs_are_left_alone")
PROGRAMS = {
    "adds": "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number); console.log(a + b)",
    "joins": "console.log(require('fs').readFileSync(0, 'utf8').trim().split(' ').join(''))",
    "ends": "process.exit(3)",
}


def command(*arguments: str, settings: dict[str, str]) -> Result:
    """Run a command in this process: a dozen processes would take most of the test's time to start."""
    return CliRunner().invoke(main, arguments, env=settings, catch_exceptions=False)


def cases(folder: Path, expected: str) -> str:
    file = folder / f"cases-{expected}.json"
    case = {"name": "sums", "stdin": "1 2\n", "expect": {"stdout": f"{expected}\n"}, "points": 2}
    file.write_text(json.dumps({"version": 1, "cases": [case]}))
    return str(file)


def test_wrong_cases_are_set_right(services: Services, batch: str, tmp_path: Path) -> None:
    settings = {**services.environment, "JSWORKER_QUEUE": "regraded"}
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, code in PROGRAMS.items():
        (programs / f"{name}.js").write_text(code)

    def ok(*arguments: str) -> tuple[str, str]:
        done = command(*arguments, settings=settings)
        assert done.exit_code == 0, done.stderr
        return done.stdout, done.stderr

    def verdicts(*options: str) -> dict[str, str]:
        results = map(json.loads, ok("results", batch, "--format", "jsonl", *options)[0].splitlines())
        return {result["id"]: result["verdict"] for result in results}

    wrong = {"adds": "wrong_answer", "joins": "accepted", "ends": "runtime_error"}
    right = {"adds": "accepted", "joins": "wrong_answer", "ends": "runtime_error"}
    ok("submit", str(programs), "--batch", batch, "--cases", cases(tmp_path, "12"))
    with working(settings, tmp_path / "worker.log") as worker:
        eventually(lambda: worker.events("batch_completed"))
        told = ok("regrade", batch, "--cases", cases(tmp_path, "3"))[1]
        assert f"{batch}.g2: generation 2, 3 jobs" in told
        assert "3 of 3 done" in ok("watch", f"{batch}.g2", "--timeout", "30")[1]
        assert verdicts() == wrong
        table, _ = ok("diff", batch, "2")
        assert "2 jobs of 3 changed" in table
        ok("promote", batch, "2")
        assert (verdicts(), verdicts("--generation", "1")) == (right, wrong)
        listed = {each["name"]: each for each in json.loads(ok("batches", "--format", "json")[0])}
        assert listed[f"{batch}.g2"]["generation_of"] == batch
        assert (listed[batch]["state"], listed[batch]["counts"]) == ("complete", [2, 1])
        ok("promote", batch, "--undo")
        assert verdicts() == wrong
    complete = json.loads(services.blob(f"results/{batch}/_batch/complete.json"))
    assert complete["verdicts"] == {"wrong_answer": 1, "accepted": 1, "runtime_error": 1}


def test_what_the_platform_failed_runs_again_and_its_failure_is_replaced(
    services: Services, batch: str, tmp_path: Path
) -> None:
    settings = {**services.environment, "JSWORKER_QUEUE": "regraded"}
    results = partial(services.results, batch, ("sent", "dead"))
    job = {"version": 1, "batch": batch, "code": {"inline": "console.log('ran')"}}
    lines = tmp_path / "jobs.jsonl"
    lines.write_text("".join(json.dumps({**job, "id": job_id}) + "\n" for job_id in ("sent", "dead")))
    assert command("submit", "--manifest", str(lines), settings=settings).exit_code == 0
    for _ in range(2):
        with services.received("regraded"):
            pass
    letter = ServiceBusMessage(json.dumps({**job, "id": "dead"}), message_id=secrets.token_hex(8))
    services.send_messages("regraded", [letter])
    services.dead_letter("regraded", "OutOfOrder")
    failed = {
        "version": 1, "batch": batch, "status": "infrastructure_failed", "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:00Z", "worker": {"version": "1", "instance": "i"},
    }  # fmt: skip
    for job_id in ("sent", "dead"):
        services.upload(
            f"results/{batch}/{job_id}/result.json", json.dumps({**failed, "id": job_id}).encode()
        )
    done = command("retry", batch, settings=settings)
    assert (done.exit_code, done.stderr.splitlines()[0]) == (0, f"{batch}: 2 of 2 jobs are run again")
    assert "2 more are in the queue already" in command("retry", batch, settings=settings).stderr
    with working(settings, tmp_path / "worker.log"):
        eventually(lambda: {result["status"] for result in results().values()} == {"succeeded"})
    assert "failed no job" in command("retry", batch, settings=settings).stderr
