"""Names and output that would be markup, scripts, formulas or terminal commands anywhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.report.examples import submissions
from tests.unit.report.documents import case, graded, named, reported, stream
from worker.differing import in_lines

if TYPE_CHECKING:
    from tests.contract.report.conftest import Screen

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = [
    "<script>window.owned = 1</script>",
    "</script><script>window.owned = 1</script>",
    "<!--<script>",
    "<img src=x onerror='window.owned = 1'>",
    "<svg onload=window.owned=1><a href='javascript:window.owned=1'>x</a></svg>",
    '" onmouseover="window.owned = 1" autofocus onfocus="window.owned = 1',
    "javascript:window.owned=1",
    "{{ 7 * 7 }}{% include 'report.css' %}${window.owned = 1}",
    "<style>body { display: none }</style><base href='http://example.org/'>",
    "<meta http-equiv=refresh content='0; url=http://example.org/'>",
    "<iframe srcdoc='<script>parent.owned = 1</script>'></iframe>",
    '=HYPERLINK("http://example.org", "marks")',
    "invoice\u202efdp.exe\u2066",
    "\x1b]0;owned\x07\x1b[2J\x9b31m\x00",
    "\u2028\u2029 &lt;b&gt; &amp;",
    "constructor",
    "__proto__",
]


async def test_hostile_names_and_output_are_text_and_nothing_else(screen: Screen) -> None:
    hostile = [_hostile(number, text) for number, text in enumerate(HOSTILE)]
    page = await screen.show(*hostile, *submissions(), missing=["gone"], names={"gone": HOSTILE[3]})
    await page.run("document.querySelectorAll('.open').forEach((button) => button.click())")
    await page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    await page.run("document.querySelectorAll('*').forEach((e) => e.dispatchEvent(new Event('mouseover')))")
    assert await page.run("window.owned") is None
    assert (
        await page.run("document.querySelectorAll('img, iframe, base, link, object, embed, a').length") == 1
    )
    assert await page.run("document.querySelectorAll('script:not([type])').length") == 1
    shown = "\n".join(await page.texts("main"))
    for text in HOSTILE[:12]:
        assert shown.count(text) >= 5, text
    assert not set(shown) & set("\x1b\x07\x00\x9b\u202e\u2066\u2028\u2029")
    assert "invoice\\u202efdp.exe\\u2066" in shown
    assert "\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\x00" in shown


async def test_a_students_page_of_hostile_text_is_text_and_nothing_else(screen: Screen) -> None:
    await reported(
        None, *(_hostile(number, text) for number, text in enumerate(HOSTILE)), pages=screen.folder
    )
    for number, text in enumerate(HOSTILE[:12]):
        await screen.page.open((screen.folder / f"h{number}.html").as_uri())
        assert await screen.page.run("window.owned") is None
        assert await screen.page.run("document.querySelectorAll('script, img, iframe, a, base').length") == 0
        assert (await screen.page.texts("h1")) == [text]
        assert (await screen.page.texts(".case bdi")) == [text]


async def test_what_the_page_itself_might_do_wrong_its_policy_forbids(screen: Screen) -> None:
    page = await screen.show(*submissions())
    tried = await page.run(
        "(() => { try { document.body.innerHTML = '<b>'; return 'done'; } catch (e) { return e.name; } })()"
    )
    assert tried == "TypeError"
    assert "TrustedHTML" in json.dumps(page.complaints)
    page.complaints.clear()


def _hostile(number: int, text: str) -> dict[str, Any]:
    failing = case(
        text, "wrong_answer", diff=in_lines(f"a\n{text}", "a\nb"), message=text, stderr=stream(text)
    ) | {"stdout": stream(text, truncated=True, blob=text)}
    return graded(f"h{number}", [failing], metadata=named(text), error={"code": "exit_code", "message": text})
