from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.documents import case, graded, named, reported, result, stream
from worker.report.junit import JUnit

CHILDREN = {"skipped", "error", "failure", "system-out", "system-err"}


def suites(text: str) -> list[ET.Element]:
    """The suites, after what the schemas of CI servers want has been checked."""
    root = ET.fromstring(text.encode())  # noqa: S314 - our own
    assert root.tag == "testsuites"
    for suite in root:
        check(suite)
    return list(root)


def check(suite: ET.Element) -> None:
    assert suite.tag == "testsuite"
    tests = suite.findall("testcase")
    assert len(tests) == len(suite) == int(suite.attrib["tests"])
    for tag, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.attrib[name]) == sum(test.find(tag) is not None for test in tests)
    for part in (suite, *tests):
        assert part.attrib["name"]
        assert re.fullmatch(r"\d+\.\d{3}", part.attrib["time"])
    for test in tests:
        assert test.attrib["classname"]
        assert {child.tag for child in test} <= CHILDREN
        assert sum(child.tag in {"skipped", "error", "failure"} for child in test) <= 1
    if stamp := suite.get("timestamp"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", stamp)


async def only_test(document: dict[str, Any]) -> ET.Element:
    (suite,) = suites(await reported("junit", document))
    (test,) = suite
    return test


async def test_a_submission_is_a_suite_and_a_case_a_test() -> None:
    document = graded("s1", [case("adds"), case("halves", "wrong_answer", diff="line 1\n-2\n+3")])
    (suite,) = suites(await reported("junit", document | {"metadata": named("Ada")}))
    assert (suite.attrib["name"], suite.attrib["time"]) == ("Ada", "1.500")
    assert [test.attrib["name"] for test in suite] == ["adds", "halves"]
    assert suite[0].attrib["classname"] == "hw1.s1"
    assert len(suite[0]) == 0
    failure = suite[1][0]
    assert (failure.tag, failure.attrib) == ("failure", {"message": "line 1", "type": "wrong_answer"})
    assert failure.text == "line 1\n-2\n+3"


@pytest.mark.parametrize(
    ("verdict", "tag"),
    [
        ("wrong_answer", "failure"),
        ("runtime_error", "failure"),
        ("time_limit", "failure"),
        ("internal_error", "error"),
        ("skipped", "skipped"),
    ],
)
async def test_a_case_that_is_not_accepted_failed_or_was_not_judged(verdict: str, tag: str) -> None:
    assert (await only_test(graded("a", [case("x", verdict)])))[0].tag == tag


@pytest.mark.parametrize(
    ("status", "tags"),
    [
        ("succeeded", []),
        ("failed", ["failure"]),
        ("timed_out", ["failure"]),
        ("rejected", ["error"]),
        ("infrastructure_failed", ["error"]),
        ("cancelled", ["skipped"]),
    ],
)
async def test_a_job_without_cases_is_one_test(status: str, tags: list[str]) -> None:
    assert [child.tag for child in await only_test(result("a", status))] == tags


async def test_a_job_without_a_result_is_an_error() -> None:
    (suite,) = suites(await reported("junit", missing=["s9"], names={"s9": "Grace"}))
    assert (suite.attrib["name"], suite.attrib["errors"]) == ("Grace", "1")


async def test_output_stands_beside_its_test() -> None:
    test = await only_test(graded("a", [case("x", stdout=stream("1\n"), stderr=stream("]]> <b>&"))]))
    assert [(child.tag, child.text) for child in test] == [("system-out", "1\n"), ("system-err", "]]> <b>&")]


async def test_a_hidden_case_says_no_more_than_its_verdict() -> None:
    test = await only_test(graded("a", [case("x", "wrong_answer", hidden=True)]))
    assert test[0].attrib == {"message": "wrong answer", "type": "wrong_answer"}


@given(st.text(st.characters(codec=None), min_size=1))
def test_whatever_is_printed_the_file_can_be_read(text: str) -> None:
    writer = JUnit("hw1", {})
    cases = [case(text, "wrong_answer", message=text, stdout={"text": text}, stderr={"text": text})]
    document = graded("a", cases, metadata=named(text))
    suites(writer.begin() + writer.result(document, 0) + writer.missing("b") + "".join(writer.end(1)))
