"""A class of five: right, wrong and late, rejected, late, and not graded."""

from __future__ import annotations

from typing import Any

from tests.unit.report.documents import case, graded, named, result, stream
from worker.differing import in_lines


def submissions() -> list[dict[str, Any]]:
    wrong = case("order", "wrong_answer", 3, diff=in_lines("1\n2", "1\n3"), stdout=stream("1\n3"))
    late = case("speed", "time_limit", 1, stderr=stream("still at it"), stdout=stream("x", truncated=True))
    return [
        graded("s10", [case("order", of=3), case("speed", of=1)], metadata=named("Émile 10")),
        graded("s2", [wrong, late], metadata=named("Emile 2"), timings={"execute_ms": 9000.0}),
        result("s5", "rejected", error={"code": "invalid_submission", "message": "it has no main.js"}),
        graded("s3", [case("order", of=3), late], metadata=named("Zoë")),
        result("s4", "infrastructure_failed", metadata=named("Lost")),
    ]
