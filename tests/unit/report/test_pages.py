from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.batch.fakes import MemoryBlobs
from tests.unit.report.documents import HIDDEN_BLOB, case, graded, named, reported, result, stream

if TYPE_CHECKING:
    from pathlib import Path

ANSWER = "the answer is 42"


def told(page: str, number: int) -> dict[str, Any]:
    data = re.search(rf'<script type="application/json" id="details-{number}">(.*?)</script>', page)
    assert data
    document: dict[str, Any] = json.loads(data[1])
    return document


def apart(page: str) -> str:
    return page.partition("These have no points")[2].partition("</section>")[0]


def table(page: str) -> str:
    return page.partition('<table id="submissions"')[2].partition("</table>")[0]


async def hidden_details() -> MemoryBlobs:
    blobs = MemoryBlobs()
    left = {"0": {"stdout": ANSWER, "diff": f"-{ANSWER}"}, "1": {"stdout": "of a case that is not hidden"}}
    await blobs.create(HIDDEN_BLOB, json.dumps(left).encode())
    return blobs


def with_hidden() -> dict[str, Any]:
    cases = [case("secret", "wrong_answer", hidden=True), case("open", stdout=stream("shown"))]
    return graded("ada", cases, hidden_blob=HIDDEN_BLOB)


async def test_the_teachers_report_shows_what_hidden_cases_hide_and_says_so() -> None:
    page = await reported("html", with_hidden(), blobs=await hidden_details())
    assert told(page, 0)["cases"][0]["stdout"] == {"text": ANSWER}
    assert told(page, 0)["cases"][0]["hidden"] is True
    assert told(page, 0)["cases"][1]["stdout"] == {"text": "shown"}
    assert "not to be handed out" in page


async def test_the_students_version_has_nothing_of_it(tmp_path: Path) -> None:
    page = await reported("html", with_hidden(), blobs=await hidden_details(), hidden=False)
    assert ANSWER not in page
    assert "not to be handed out" not in page
    await reported("html", with_hidden(), blobs=await hidden_details(), pages=tmp_path)
    text = (tmp_path / "ada.html").read_text()
    assert ANSWER not in text
    assert "shown" in text


async def test_hidden_details_that_are_not_there_are_not_missed() -> None:
    page = await reported("html", with_hidden())
    assert told(page, 0)["cases"][0]["verdict"] == "wrong_answer"


@pytest.mark.parametrize("form", ["csv", "junit", "jsonl", "json", "table"])
async def test_no_other_format_has_what_hidden_cases_hide(form: str) -> None:
    assert ANSWER not in await reported(form, with_hidden(), blobs=await hidden_details())


async def test_who_is_not_graded_stands_apart_and_not_among_the_scores() -> None:
    page = await reported(
        "html",
        graded("ok", [case("x")]),
        result("lost", "infrastructure_failed", score={"points": 0, "of": 2}),
        graded("unclear", [case("x"), case("y", "internal_error")]),
        missing=["absent"],
        names={"absent": "Grace"},
    )
    for name, why in (
        ("lost", "infrastructure failed"),
        ("unclear", "internal error"),
        ("Grace", "no result yet"),
    ):
        assert f"<bdi>{name}</bdi>" in apart(page)
        assert why in apart(page)
        assert name not in table(page)
    assert "<dt>graded</dt><dd>1</dd>" in page
    assert "<dt>mean score</dt><dd>100 %</dd>" in page


async def test_a_batch_without_cases_has_no_scores() -> None:
    page = await reported("html", result("a", stdout=stream("out")), result("b", "failed"))
    assert 'data-key="1"' not in page
    assert 'id="scores"' not in page
    assert told(page, 0)["stdout"] == {"text": "out"}


async def test_a_report_on_nothing_is_a_page_too() -> None:
    assert "0 submissions" in await reported("html")


async def test_the_hardest_cases_come_first() -> None:
    results = [
        graded(str(number), [case("easy"), case("hard", "accepted" if number else "wrong_answer")])
        for number in range(4)
    ]
    page = (await reported("html", *results)).partition('id="hardest"')[2]
    assert page.index("hard</bdi>") < page.index("easy</bdi>")
    assert "75 %" in page


async def test_the_policy_lets_in_one_style_and_one_script_and_no_one_else() -> None:
    page = await reported("html", graded("a", [case("x")]))
    policy = page.partition('Content-Security-Policy" content="')[2].partition('"')[0].replace("&#39;", "'")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    for name, text in (("script-src", script), ("style-src", style)):
        assert rules[name] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


async def test_data_never_ends_its_element() -> None:
    hostile = "</script><script>alert(1)</script><!--<script>"
    page = await reported("html", graded("a", [case(hostile, "wrong_answer", stdout=stream(hostile))]))
    assert "<!--" not in page
    assert page.count("<script") == page.count("</script>") == 3
    assert told(page, 0)["cases"][0]["name"] == hostile


async def test_each_student_has_a_page_by_the_id(tmp_path: Path) -> None:
    ada = graded("s1", [case("x", "wrong_answer", stderr=stream("<b>\x1b[1m"))], metadata=named("<i>Ada"))
    text = await reported(None, ada, missing=["s2"], pages=tmp_path / "new" / "pages")
    assert text == ""
    pages = {path.name: path.read_text() for path in (tmp_path / "new" / "pages").iterdir()}
    assert sorted(pages) == ["s1.html", "s2.html"]
    assert "&lt;i&gt;Ada" in pages["s1.html"]
    assert r"&lt;b&gt;\x1b[1m" in pages["s1.html"]
    assert "0 / 2" in pages["s1.html"]
    assert "Not graded: no result yet." in pages["s2.html"]
    assert not any("<script" in page for page in pages.values())


async def test_many_submissions_share_the_room_of_a_page() -> None:
    loud = [case(str(number), "wrong_answer", stdout=stream("a" * 3000)) for number in range(20)]
    few = await reported("html", graded("a", loud))
    assert len(few) > 60_000
    many = await reported("html", graded("a", loud), missing=[f"m{number}" for number in range(15_000)])
    assert len(many.partition('id="details-0"')[2]) < 10_000
