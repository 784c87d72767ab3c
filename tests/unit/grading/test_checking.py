import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from worker.checking import MESSAGE_CHARS, opinion_of
from worker.grading import Opinion
from worker.ran import Captured, Ran
from worker.result import Error

if TYPE_CHECKING:
    from worker.lease import Lease

CRASH = b"/main.js:1\n\nTypeError: x is not a function\n    at main.js:1:1\n\nNode.js v20.18.0\n"


def ran(stdout: bytes = b"", stderr: bytes = b"", **fields: Any) -> Ran:  # noqa: ANN401 - Ran's own
    given: dict[str, Any] = {"status": "succeeded", "exit_code": 0}
    streams = {"stdout": Captured(len(stdout), data=stdout), "stderr": Captured(len(stderr), data=stderr)}
    return Ran(**given | streams | fields)


def wrong(stdout: bytes = b"", stderr: bytes = b"") -> Ran:
    error = Error(code="exit_code", message="it exited with code 1")
    return ran(stdout, stderr, status="failed", exit_code=1, error=error)


def score(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


@pytest.mark.parametrize(
    ("run", "opinion"),
    [
        (ran(), Opinion(1)),
        (ran(b"fine\n"), Opinion(1, "fine")),
        (wrong(b" off by one\n"), Opinion(0, "off by one")),
        (wrong(stderr=b"a warning"), Opinion(0)),
        (ran(score(score=0.5)), Opinion(0.5)),
        (wrong(score(score=0.5, message="half")), Opinion(0.5, "half")),
        (ran(score(score=1, message="")), Opinion(1)),
        (ran(b'{"score": 1} and more'), Opinion(1, '{"score": 1} and more')),
        (ran(b"[1]"), Opinion(1, "[1]")),
        (ran(b'{"points": 1}'), Opinion(1, '{"points": 1}')),
        (ran(b"x" * 3000), Opinion(1, "x" * MESSAGE_CHARS + "…")),
    ],
)
async def test_a_checker_says_what_a_case_is_worth(run: Ran, opinion: Opinion) -> None:
    assert await opinion_of(run, cast("Lease", None)) == opinion


@pytest.mark.parametrize(
    "run",
    [
        wrong(stderr=CRASH),
        ran(status="failed", exit_code=2),
        ran(status="failed", exit_code=None, signal="SIGSEGV"),
        ran(status="timed_out", exit_code=None),
        ran(status="out_of_memory", exit_code=None),
        ran(status="output_limit", exit_code=1),
        ran(score(score=1.5)),
        ran(score(score=-1)),
        ran(score(score="1")),
        ran(score(score=True)),
        ran(score(score=1, massage="")),
        ran(b'{"score": NaN}'),
    ],
)
async def test_a_checker_that_does_not_do_its_part_gives_no_points_and_takes_none(run: Ran) -> None:
    opinion = await opinion_of(run, cast("Lease", None))
    assert opinion.share is None
    assert opinion.message
