import json
from typing import Any

import pytest

from worker.case import Case
from worker.cases import wanted_runs
from worker.cases_file import load_cases
from worker.faults import JobRejected
from worker.job import parse_job


def file(*cases: dict[str, Any], **fields: object) -> bytes:
    return json.dumps({"version": 1, "cases": cases, **fields}).encode()


def cases_of(data: bytes) -> tuple[Case, ...]:
    return load_cases(data).cases


def rejection(data: bytes) -> JobRejected:
    with pytest.raises(JobRejected) as caught:
        load_cases(data)
    return caught.value


def test_a_case_takes_the_defaults_of_its_file_for_what_it_does_not_set() -> None:
    own = {"name": "b", "compare": "exact", "points": 0, "limits": {"memory_mb": 64}}
    first, second = cases_of(
        file({"name": "a"}, own, compare="tokens", points=3, limits={"timeout_seconds": 2, "memory_mb": 32})
    )
    assert (first.compare, first.points) == ("tokens", 3)
    assert first.limits.model_dump(exclude_none=True) == {"timeout_seconds": 2, "memory_mb": 32}
    assert (second.compare, second.points) == ("exact", 0)
    assert second.limits.model_dump(exclude_none=True) == {"timeout_seconds": 2, "memory_mb": 64}


def test_a_file_without_defaults_has_those_of_a_case() -> None:
    (case,) = cases_of(b"\xef\xbb\xbf" + file({"name": "a", "stdin": {"blob": "inputs/a"}}))
    assert case == Case.model_validate({"name": "a", "stdin": {"blob": "inputs/a"}})
    assert (case.compare, case.points, case.hidden) == ("trimmed", 1, False)


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        (b"", "invalid_cases", "cases"),
        (b"{", "invalid_cases", "cases"),
        (b"\xff", "invalid_cases", "cases"),
        (b"[]", "invalid_cases", "cases"),
        (b"{}", "invalid_cases", "cases.version"),
        (b'{"version": 1}', "invalid_cases", "cases"),
        (b'{"version": 2, "cases": []}', "unsupported_version", "cases.version"),
        (b'{"version": true, "cases": []}', "unsupported_version", "cases.version"),
        (file(), "invalid_cases", "cases"),
        (file(*[{"name": "a"}] * 1001), "invalid_cases", "cases"),
        (file({"name": "a"}, {}), "invalid_cases", "cases.1.name"),
        (file({"name": "a", "points": -1}), "invalid_cases", "cases.0.points"),
        (file({"name": "a", "compare": "nearly"}), "invalid_cases", "cases.0.compare"),
        (file({"name": "a", "tolerance": -1}), "invalid_cases", "cases.0.tolerance"),
        (file({"name": "a", "limits": {"seconds": 1}}), "invalid_cases", "cases.0.limits.seconds"),
        (file({"name": "a"}, limits={"timeout_seconds": 0}), "invalid_cases", "cases.limits.timeout_seconds"),
        (file({"name": "a"}, point=1), "invalid_cases", "cases.point"),
        (file({"name": "a", "stdin": {"blob": "../a"}}), "invalid_cases", "cases.0.stdin.blob"),
    ],
)
def test_a_damaged_file_is_told_by_its_field(data: bytes, code: str, field: str) -> None:
    told = rejection(data)
    assert (told.code, told.field) == (code, field)
    assert told.message


@pytest.mark.parametrize(("compare", "stdout"), [("regex", "("), ("json", "{")])
def test_an_expectation_that_cannot_be_compared_with_is_told_by_its_field(compare: str, stdout: str) -> None:
    told = rejection(file({"name": "a"}, {"name": "b", "compare": compare, "expect": {"stdout": stdout}}))
    assert (told.code, told.field) == ("invalid_cases", "cases.1.expect.stdout")


def test_the_comparator_of_the_file_is_the_one_that_its_expectations_are_checked_for() -> None:
    told = rejection(file({"name": "a", "expect": {"stdout": "("}}, compare="regex"))
    assert told.field == "cases.0.expect.stdout"


def test_what_a_case_does_not_say_the_job_says() -> None:
    cases = [{"name": "a"}, {"name": "b", "stdin": "", "args": [], "limits": {"memory_mb": 64}}]
    job = {"version": 1, "id": "a", "code": {"inline": "1"}, "args": ["--fast"], "stdin": "1"}
    parsed = parse_job(json.dumps({**job, "limits": {"timeout_seconds": 3}, "cases": cases}).encode())
    assert isinstance(parsed.cases, tuple)
    first, second = wanted_runs(parsed, parsed.cases)
    assert (first.field, first.stdin, first.args) == ("cases.0.", "1", ("--fast",))
    assert (second.field, second.stdin, second.args) == ("cases.1.", "", ())
    assert (second.limits.timeout_seconds, second.limits.memory_mb) == (3, 64)


def test_a_job_without_cases_wants_one_run() -> None:
    job = parse_job(b'{"version": 1, "id": "a", "code": {"inline": "1"}, "args": ["x"], "stdin": "1"}')
    (run,) = wanted_runs(job, ())
    assert (run.field, run.stdin, run.args) == ("", "1", ("x",))
