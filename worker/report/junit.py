"""JUnit XML, as CI servers read it: a suite a submission, a test a case.

What XML cannot hold is never printable, and so is shown as an escape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, tostring

from worker.report.standing import missing, name_of, not_graded, words
from worker.report.text import printable, seconds, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ERRORS = {"internal_error", "rejected", "infrastructure_failed"}
_SKIPPED = {"skipped", "cancelled"}
_PASSED = {"accepted", "succeeded"}


class JUnit:
    """Written suite by suite; without totals over all of them, which no reader needs."""

    def __init__(self, batch: str, names: Mapping[str, str]) -> None:
        self._batch, self._names = batch, names

    def begin(self) -> str:
        """The declaration and the root."""
        root = tostring(Element("testsuites", name=self._batch), "unicode", short_empty_elements=False)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{root.removesuffix("</testsuites>")}\n'

    def result(self, result: dict[str, Any], _number: int) -> str:
        """A suite."""
        name = name_of(result["id"], result.get("metadata") or {})
        suite = self._suite(result["id"], name, list(_tests(result)), _duration(result))
        if result.get("started_at"):
            suite.set("timestamp", result["started_at"][:19])
        return _text(suite)

    def missing(self, job_id: str) -> str:
        """A suite with an error: its result is not there."""
        where = missing(job_id, self._names)
        test = _test("result", "infrastructure_failed", 0, f"not graded: {where.not_graded}")
        return _text(self._suite(job_id, where.name, [test], 0))

    def end(self, _number: int) -> tuple[str, ...]:
        """The end of the root."""
        return ("</testsuites>\n",)

    def _suite(self, job_id: str, name: str, tests: Sequence[Element], milliseconds: float) -> Element:
        counts = {
            f"{tag}s" if tag != "skipped" else tag: str(sum(test.find(tag) is not None for test in tests))
            for tag in ("failure", "error", "skipped")
        }
        suite = Element(
            "testsuite", {"name": name, "tests": str(len(tests)), **counts, "time": _seconds(milliseconds)}
        )
        for test in tests:
            test.set("classname", f"{self._batch}.{job_id}")
            suite.append(test)
        return suite


def _tests(result: dict[str, Any]) -> Iterator[Element]:
    for case in result.get("cases") or ():
        what = _limit(case) or case.get("message") or case.get("diff") or words(case["verdict"])
        test = _test(case["name"], case["verdict"], case.get("duration_ms") or 0, what)
        _streams(test, case)
        yield test
    if not result.get("cases"):
        word = result.get("verdict") or result["status"]
        message = (result.get("error") or {}).get("message") or words(word)
        why = not_graded(result)
        test = _test("run", word, _duration(result), f"not graded: {message}" if why else message)
        _streams(test, result)
        yield test


def _limit(case: dict[str, Any]) -> str | None:
    if case["verdict"] not in {"time_limit", "memory_limit", "output_limit"}:
        return None
    return f"ran into its {words(case['verdict'])} after {seconds(case.get('duration_ms') or 0)}"


def _test(name: str, word: str, milliseconds: float, message: str) -> Element:
    test = Element("testcase", name=printable(name), time=_seconds(milliseconds))
    if word in _PASSED:
        return test
    tag = "error" if word in _ERRORS else "skipped" if word in _SKIPPED else "failure"
    first = message.strip().partition("\n")[0]
    outcome = SubElement(test, tag, message=printable(first))
    if tag != "skipped":
        outcome.set("type", word)
        outcome.text = visible(message)
    return test


def _streams(test: Element, part: dict[str, Any]) -> None:
    for name in ("stdout", "stderr"):
        if text := (part.get(name) or {}).get("text"):
            SubElement(test, f"system-{name.removeprefix('std')}").text = visible(text)


def _duration(result: dict[str, Any]) -> float:
    return (result.get("timings") or {}).get("execute_ms") or 0


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.3f}"


def _text(suite: Element) -> str:
    return tostring(suite, "unicode") + "\n"
