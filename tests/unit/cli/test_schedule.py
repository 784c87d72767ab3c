"""The schedule commands, as far as they go without services."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tests.unit.batch.fakes import MemoryBlobs, result
from tests.unit.schedules.fakes import file
from worker.cli import main
from worker.cli.schedule_lines import check_table, list_table, row
from worker.planned import Planned
from worker.supplying import Results
from worker.trigger import Trigger

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
BERLIN = {"name": "nightly", "cron": "30 2 * * *", "time_zone": "Europe/Berlin"}


def test_the_next_times_are_shown_in_the_zone_and_in_utc_across_a_change_of_the_clock() -> None:
    assert list(check_table(file(BERLIN, {"name": "b", "enabled": False}), NOW, 2)) == [
        "nightly  30 2 * * *  Europe/Berlin",
        "  Sun 2026-03-29 03:00:00 CEST    2026-03-29 01:00:00Z  run 453",
        "  Mon 2026-03-30 02:30:00 CEST    2026-03-30 00:30:00Z  run 454",
        "b  * * * * *  UTC  (not enabled)",
        "  Sat 2026-03-28 12:00:00 UTC     2026-03-28 12:00:00Z  run 650161",
        "  Sat 2026-03-28 12:01:00 UTC     2026-03-28 12:01:00Z  run 650162",
    ]


@pytest.fixture
def path(tmp_path: Path) -> str:
    document = {"version": 1, "schedules": [BERLIN | {"job": {"code": {"inline": "1"}}}]}
    (tmp_path / "s.json").write_text(json.dumps(document))
    return str(tmp_path / "s.json")


def test_a_check_shows_ten_times_of_each_schedule_and_as_json_too(path: str) -> None:
    answer = CliRunner().invoke(main, ["schedule", "check", path])
    assert (answer.exit_code, len(answer.stdout.splitlines())) == (0, 11)
    document = json.loads(CliRunner().invoke(main, ["schedule", "check", path, "--json"]).stdout)
    (nightly,) = document["schedules"]
    assert (nightly["name"], nightly["enabled"], len(nightly["next"])) == ("nightly", True, 10)
    assert nightly["next"][0]["run"] + 9 == nightly["next"][9]["run"]


def test_a_check_tells_all_mistakes_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        'version: 1\nschedules:\n  - name: a\n    cron: "0 0 30 2 *"\n    time_zone: Mars/Base\n    job: {}\n'
    )
    answer = CliRunner().invoke(main, ["schedule", "check", str(path)])
    assert answer.exit_code == 1
    assert answer.stderr.splitlines() == [
        "jsworker: error: s.yaml:4:5: schedules[0].cron: never fires: no day is meant",
        "s.yaml:5:5: schedules[0].time_zone: there is no time zone 'Mars/Base'; write one like Europe/Berlin",
        "s.yaml:6:5: schedules[0].job.code: Field required",
    ]


@pytest.mark.usefixtures("logs_are_left_alone")
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["trigger", "FILE", "no"], 1, "has no schedule 'no'; there is nightly"),
        (["backfill", "FILE", "no", "--from", "3d"], 1, "has no schedule 'no'"),
        (["backfill", "FILE", "nightly", "--from", "soon"], 2, "neither a time"),
        (["backfill", "FILE", "nightly"], 2, "--from"),
        (["sync", "FILE", "--horizon", "1"], 2, "--horizon"),
        (["run", "missing.yaml"], 2, "missing.yaml"),
    ],
)
def test_what_cannot_be_done_is_said(
    path: str, arguments: list[str], status: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JSWORKER_SERVICEBUS_NAMESPACE", "x.example")
    monkeypatch.setenv("JSWORKER_STORAGE_ACCOUNT_URL", "https://x.example")
    answer = CliRunner().invoke(main, ["schedule", *(path if part == "FILE" else part for part in arguments)])
    assert answer.exit_code == status, answer.stderr
    assert words in answer.stderr


async def test_the_last_run_with_a_result_is_found_and_how_late_it_started() -> None:
    blobs, (tick, never) = (
        MemoryBlobs(),
        file({"name": "tick"}, {"name": "never", "enabled": False}).schedules,
    )
    run = Planned(tick, NOW - timedelta(minutes=3))
    done = result(run.job_id, "tick", trigger=Trigger(schedule=run.trigger()))
    done = done.model_copy(update={"started_at": run.due_at + timedelta(seconds=1.5)})
    await blobs.create(f"results/tick/{run.job_id}/result.json", done.model_dump_json().encode())
    rows = [await row(schedule, Results(blobs, "results"), NOW) for schedule in (tick, never)]
    assert list(list_table(rows)) == [
        "SCHEDULE  LAST RUN              STATUS                      LATE  NEXT",
        "tick      2026-03-28 11:57:00Z  succeeded                  1.5 s  2026-03-28 12:01:00Z",
        "never     -                     -                              -  not enabled",
    ]
    assert rows[0].document()["last"]["late_seconds"] == 1.5
    assert rows[1].document() == {"name": "never", "enabled": False, "last": None, "next_at": None}
