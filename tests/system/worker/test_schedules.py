"""Schedulers and a worker as real processes: each run comes once, and what is removed comes no more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.worker.processes import COMMAND, ROOT, environment, run, working
from tests.system.worker.services import Services, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azure.servicebus import ServiceBusReceivedMessage

EXAMPLE = ROOT / "examples" / "schedules"
REPORT = """\
const { JSWORKER_SCHEDULE, JSWORKER_PLANNED_AT, JSWORKER_RUN_NUMBER } = process.env;
console.log(JSON.stringify([JSWORKER_SCHEDULE, JSWORKER_PLANNED_AT, Number(JSWORKER_RUN_NUMBER)]));
"""


def written(path: Path, batch: str, **schedule: object) -> Path:
    """A file with a schedule for each second, or with none; it takes the other's place at once."""
    job = {"batch": batch, "code": {"inline": REPORT}}
    tick = {"name": "tick", "cron": "* * * * * *", "misfire": "skip", "job": job} | schedule
    new = path.with_suffix(".new")
    document = {"version": 1, "group": batch, "queue": "scheduled", "schedules": [tick]}
    new.write_text(json.dumps(document))
    new.replace(path)
    return path


@contextmanager
def scheduling(settings: Mapping[str, str], file: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "schedule", "run", str(file), "--horizon", "10"],
            cwd=ROOT,
            env=environment(settings),
            stderr=stderr,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def settings(services: Services) -> dict[str, str]:
    return {**services.environment, "JSWORKER_QUEUE": "scheduled"}


def test_with_two_schedulers_each_second_has_its_run_once_and_a_removed_schedule_is_taken_back(
    services: Services, settings: dict[str, str], batch: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "schedules.json", batch)
    logs = [tmp_path / f"scheduler-{number}.log" for number in range(2)]
    with (
        working(settings, tmp_path / "worker.log") as worker,
        scheduling(settings, file, logs[0]) as first,
        scheduling(settings, file, logs[1]) as second,
    ):
        eventually(lambda: len(services.etags(batch)) >= 10)
        first.send_signal(signal.SIGTERM)
        assert first.wait(20) == 0
        file.write_text("{")
        eventually(lambda: "schedules_invalid" in logs[1].read_text())
        assert scheduled(services, batch), "the last good file counts"
        written(file, batch, enabled=False)
        eventually(lambda: not messages(services, batch))  # nor such as run
        ids = sorted(services.etags(batch))
        second.send_signal(signal.SIGTERM)
        assert second.wait(20) == 0
    assert sorted(services.etags(batch)) == ids
    assert sorted(str(event["job"]) for event in worker.events("job_completed")) == ids, "each ran once"
    results = services.results(batch, ids)
    moments = [datetime.strptime(job_id, "tick.%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for job_id in ids]
    assert (moments[-1] - moments[0]).total_seconds() == len(ids) - 1, "none is missing"
    numbers = []
    for job_id, moment in zip(ids, moments, strict=True):
        name, planned_at, number = json.loads(results[job_id]["stdout"]["text"])
        trigger = results[job_id]["trigger"]["schedule"]
        assert (name, planned_at, number) == ("tick", trigger["planned_at"], trigger["run"])
        assert planned_at == f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        numbers.append(number)
    assert numbers == list(range(numbers[0], numbers[0] + len(ids)))


def messages(services: Services, batch: str) -> list[ServiceBusReceivedMessage]:
    return [
        message
        for message in services.waiting("scheduled")
        if (message.application_properties or {}).get(b"jsworker-schedule-group") == batch.encode()
    ]


def scheduled(services: Services, batch: str) -> list[int | None]:
    return [
        message.sequence_number for message in messages(services, batch) if message.state.name == "SCHEDULED"
    ]


def test_a_file_is_synced_filled_in_and_listed(
    settings: dict[str, str], services: Services, batch: str, tmp_path: Path
) -> None:
    file = str(written(tmp_path / "schedules.json", batch, cron="*/10 * * * * *"))
    dry = run("schedule", "sync", file, "--horizon", "30", "--dry-run", settings=settings)
    assert (dry.returncode, scheduled(services, batch)) == (0, [])
    synced = run("schedule", "sync", file, "--horizon", "1800", settings=settings)
    assert synced.returncode == 0, synced.stderr
    assert len([line for line in synced.stdout.splitlines() if line.startswith("send ")]) >= 178
    assert len(scheduled(services, batch)) >= 170  # some may have become due
    written(Path(file), batch, cron="0 0 3 * * *")
    taken = run("schedule", "sync", file, "--horizon", "5", settings=settings)
    assert taken.returncode == 0, taken.stderr
    assert scheduled(services, batch) == []
    span = ("--from", "2026-05-04", "--to", "2026-05-07")
    filled = run("schedule", "backfill", file, "tick", *span, "--yes", settings=settings)
    ids = [line.partition("/")[2] for line in filled.stdout.splitlines()]
    assert ids == [f"tick.2026050{day}T030000Z" for day in (4, 5, 6)], filled.stderr
    with working(settings, tmp_path / "worker.log"):
        results = services.results(batch, ids)
    assert {result["status"] for result in results.values()} == {"succeeded"}
    again = run("schedule", "backfill", file, "tick", *span, "--yes", settings=settings)
    assert (again.stdout, "3 times, 0 of them" in again.stderr) == ("", True)
    listed = run("schedule", "list", file, "--json", settings=settings)
    assert json.loads(listed.stdout)[0]["name"] == "tick"


def test_the_example_makes_its_report(settings: dict[str, str], services: Services, tmp_path: Path) -> None:
    services.upload("submissions/reports/nightly-report.mjs", (EXAMPLE / "nightly-report.mjs").read_bytes())
    services.upload("inputs/reports/sales.csv", (EXAMPLE / "sales.csv").read_bytes())
    file = str(EXAMPLE / "schedules.yaml")
    assert run("schedule", "check", file).returncode == 0
    triggered = run("schedule", "trigger", file, "nightly-report", settings=settings)
    assert triggered.returncode == 0, triggered.stderr
    batch, _, job_id = triggered.stdout.strip().partition("/")
    with working(settings, tmp_path / "worker.log"):
        result = services.results(batch, [job_id])[job_id]
    assert result["status"] == "succeeded", result
    assert result["stdout"]["text"].startswith("run 0 of nightly-report: 3 products")
    report = services.blob(result["files"][0]["blob"]).decode()
    assert "| coffee | 48.10 |\n| tea | 19.75 |\n| cocoa | 4.40 |" in report
    assert os.fspath(EXAMPLE) in file
