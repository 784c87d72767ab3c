import json
from typing import Any

import pytest

from worker.cases_file import load_cases
from worker.faults import JobRejected

CODE = {"inline": "1"}
HARNESS = {"code": CODE}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cases": [{"name": "a"}], "checker": CODE}, "cases.checker"),
        ({"cases": [{"name": "a"}, {"name": "b", "compare": "checker"}]}, "cases.1.compare"),
        ({"cases": [{"name": "a"}], "compare": "checker"}, "cases.0.compare"),
        ({"harness": HARNESS, "checker": CODE}, "cases.checker"),
        ({"harness": HARNESS, "stop_at_first_failure": True}, "cases.stop_at_first_failure"),
        ({"harness": HARNESS | {"submission": "main.mjs"}}, "cases.harness.submission"),
        ({"harness": HARNESS | {"submission": "../a.js"}}, "cases.harness.submission"),
        ({"harness": HARNESS, "cases": [{"name": "a", "stdin": "1"}]}, "cases.0.stdin"),
        ({"harness": HARNESS, "cases": [{"name": "a"}, {"name": "a"}]}, "cases.0.name"),
        ({"harness": {"code": CODE, "style": "tap"}}, "cases.harness.style"),
    ],
)
def test_parts_of_a_cases_file_that_do_not_fit_together_are_told(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(JobRejected) as caught:
        load_cases(json.dumps({"version": 1, **fields}).encode())
    assert (caught.value.code, caught.value.field) == ("invalid_cases", field)
    assert field.rpartition(".")[2] in caught.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {"cases": [{"name": "a", "compare": "checker"}, {"name": "b"}], "checker": CODE},
        {"cases": [{"name": "a"}], "compare": "checker", "checker": CODE, "stop_at_first_failure": True},
        {"harness": HARNESS, "points": 2, "limits": {"timeout_seconds": 1}},
        {"harness": HARNESS, "cases": [{"name": "a", "points": 2, "hidden": True}]},
    ],
)
def test_parts_that_fit_together_are_taken(fields: dict[str, Any]) -> None:
    assert load_cases(json.dumps({"version": 1, **fields}).encode())
