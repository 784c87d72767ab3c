"""Files of schedules: what they say, and what is wrong with them, by line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.faults import SchedulesError
from worker.job import validate_job
from worker.planned import Planned
from worker.schedules_file import parse_schedules

if TYPE_CHECKING:
    from worker.schedule import Schedule

WHOLE = """\
version: 1
group: reports
queue: nightly
schedules:
  - name: nightly
    cron: "30 2 * * *"
    time_zone: Europe/Berlin
    job:
      code: {inline: "console.log(1)"}
      batch: reports
      env: {A: b}
      args: [x]
    jitter_seconds: 60
    overlap: skip
    misfire: skip
    misfire_window_seconds: 600
    since: "2026-01-01"
  - {name: paused, cron: "@hourly", enabled: false, job: {code: {blob: submissions/a.js}}}
"""


def told(text: str) -> list[str]:
    with pytest.raises(SchedulesError) as caught:
        parse_schedules(text.encode(), "s.yaml")
    return str(caught.value).splitlines()


def schedule(**fields: object) -> Schedule:
    given: dict[str, object] = {"name": "nightly", "cron": "0 2 * * *", "job": {"code": {"inline": "1"}}}
    file = {"version": 1, "schedules": [given | fields]}
    return parse_schedules(json.dumps(file).encode(), "s.json").schedules[0]


def test_a_file_says_what_is_run_when() -> None:
    file = parse_schedules(WHOLE.encode(), "s.yaml")
    assert (file.group, file.queue, len(file.schedules)) == ("reports", "nightly", 2)
    first, second = file.schedules
    assert (first.batch, second.batch, second.enabled) == ("reports", "paused", False)
    assert (second.overlap, second.misfire, second.misfire_window_seconds) == ("allow", "run_once", 3600)
    assert file.find("paused") is second
    assert file.find("no") is None


def test_all_mistakes_are_told_at_once_with_their_lines() -> None:
    text = """\
version: 1
schedules:
  - name: a
    cron: "0 0 30 2 *"
    job: {code: {inline: "1"}}
  - name: a
    cron: "61 * * * *"
    time_zone: Europe/Berlim
    job:
      id: mine
      code: {inline: 1}
      env: {JSWORKER_SCHEDULE: x}
      colour: red
  - name: "../x"
    cron: "@daily"
    overlap: never
    since: "yesterday"
    misfire_window_seconds: 0
    jitter_seconds: 1e9
  - just text
"""
    lines = told(text)
    wanted = [
        ("4:", "never fires"),
        ("6:", "'a' is there twice"),
        ("7:", "minute"),
        ("8:", "no time zone 'Europe/Berlim'"),
        ("10:", "leave it out"),
        ("11:", "should be a valid string"),
        ("12:", "leave it out"),
        ("13:", "no such field"),
        ("14:", "schedules[2].name"),
        ("14:", "schedules[2].job"),
        ("16:", "overlap"),
        ("17:", "day like"),
        ("18:", "greater than or equal to 1"),
        ("19:", "jitter_seconds"),
        ("20:", "schedules[3]"),
    ]
    assert len(lines) == len(wanted), lines
    for place, words in wanted:
        assert any(line.startswith(f"s.yaml:{place}") and words in line for line in lines), (place, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("[]", "an object"),
        ("version: 2\nschedules: []", "s.yaml:1:1: version"),
        ("schedules: []", "version: Field required"),
        ("version: 1", "schedules: Field required"),
        ("version: 1\nschedules: {}", "should be a list"),
        ("version: 1\nschedules:\n\t- x", "a tab"),
        ("version: 1\nschedules: [{name: a, cron: 5, job: {}}]", "in quotes"),
        ("version: 1\nqueue: ''\nschedules: []", "queue"),
    ],
)
def test_a_file_that_is_none_is_refused_with_a_reason(text: str, words: str) -> None:
    assert words in "\n".join(told(text))


def test_names_that_are_too_long_for_a_message_are_told_before_anything_is_sent() -> None:
    with pytest.raises(SchedulesError, match="more than 127 characters together"):
        schedule(name="n" * 60)
    assert schedule(name="n" * 60, job={"code": {"inline": "1"}, "batch": "b"}).batch == "b"
    with pytest.raises(SchedulesError, match=r"\.\."):
        schedule(name="nightly.")


def test_a_job_that_fits_no_message_is_told_before_anything_is_sent() -> None:
    with pytest.raises(SchedulesError, match="put code into a blob"):
        schedule(job={"code": {"inline": "x" * (200 << 10)}})


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_whatever_a_file_has_it_is_read_or_refused(text: str) -> None:
    with pytest.raises(SchedulesError):
        parse_schedules(b"version: 1\nx: " + text.encode("utf-8", "surrogatepass"), "s.yaml")


def test_a_run_gets_its_schedule_its_time_and_its_number() -> None:
    nightly = schedule(since="2026-03-01", job={"code": {"inline": "1"}, "env": {"A": "b"}, "batch": "r"})
    run = Planned(nightly, datetime(2026, 3, 2, 2, tzinfo=UTC))
    job = validate_job(run.document())
    assert (job.id, job.batch) == ("nightly.20260302T020000Z", "r")
    assert job.env == {
        "A": "b",
        "JSWORKER_SCHEDULE": "nightly",
        "JSWORKER_PLANNED_AT": "2026-03-02T02:00:00Z",
        "JSWORKER_RUN_NUMBER": "2",
    }
    assert job.trigger
    assert job.trigger.schedule
    assert job.trigger.schedule.next_at == "2026-03-03T02:00:00Z"
    message = run.message("g", "~1")
    assert message.message_id == f"schedule/nightly/20260302T020000Z/{nightly.digest}~1"
    assert message.visible_at == run.due_at == run.planned_at
    assert message.properties == {
        "jsworker-schedule": "nightly",
        "jsworker-schedule-group": "g",
        "jsworker-planned-at": "2026-03-02T02:00:00Z",
    }


def test_a_run_by_hand_is_another_one_each_time_and_has_no_number() -> None:
    nightly = schedule(jitter_seconds=600, overlap="skip")
    moment = datetime(2026, 3, 2, 12, 0, 0, 5, tzinfo=UTC)
    first, second = Planned.by_hand(nightly, moment), Planned.by_hand(nightly, moment)
    assert first.job_id.startswith("nightly.manual-20260302T120000Z-")
    assert first.job_id != second.job_id
    assert first.message_id != second.message_id
    assert (first.run, first.due_at, first.trigger().overlap) == (0, moment.replace(microsecond=0), "skip")


def test_what_is_made_up_for_waits_instead_of_being_skipped() -> None:
    moment = datetime(2026, 3, 2, 2, tzinfo=UTC)
    overlaps = {
        policy: Planned(schedule(overlap=policy), moment, "backfill").trigger().overlap
        for policy in ("allow", "skip", "queue", "replace")
    }
    assert overlaps == {"allow": "allow", "skip": "queue", "queue": "queue", "replace": "queue"}


def test_jitter_is_the_same_for_all_schedulers_and_another_for_each_run() -> None:
    nightly, again = schedule(jitter_seconds=600), schedule(jitter_seconds=600)
    runs = [datetime(2026, 3, day, 2, tzinfo=UTC) for day in range(1, 20)]
    jitters = [(Planned(nightly, moment).due_at - moment).total_seconds() for moment in runs]
    assert jitters == [(Planned(again, moment).due_at - moment).total_seconds() for moment in runs]
    assert all(0 <= jitter <= 600 for jitter in jitters)
    assert len(set(jitters)) > 10


def test_another_definition_has_another_digest_and_switching_it_off_is_none() -> None:
    assert schedule().digest == schedule(enabled=False).digest
    others = [schedule(cron="1 2 * * *"), schedule(job={"code": {"inline": "2"}}), schedule(overlap="skip")]
    assert len({schedule().digest, *(other.digest for other in others)}) == 4
