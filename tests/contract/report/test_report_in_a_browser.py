"""The report as its readers have it: opened in Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.report.examples import submissions
from tests.unit.report.documents import case, graded, named, result, stream

if TYPE_CHECKING:
    from tests.browser import Page
    from tests.contract.report.conftest import Screen

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = "#submissions tbody tr:not(.panel) bdi"
PANEL = "#submissions .panel"


async def sorting(page: Page) -> list[str | None]:
    found: list[str | None] = await page.run(
        "Array.from(document.querySelectorAll('#submissions thead th'), (h) => h.getAttribute('aria-sort'))"
    )
    return found


async def test_a_click_on_a_heading_sorts_and_another_turns_it_round(screen: Screen) -> None:
    page = await screen.show(*submissions())
    assert await page.texts(NAMES) == ["Émile 10", "Emile 2", "s5", "Zoë"]
    await page.click('[data-key="name"]')
    assert await page.texts(NAMES) == ["Emile 2", "Émile 10", "s5", "Zoë"]
    assert await sorting(page) == ["ascending", None, None, None, None]
    await page.click('[data-key="name"]')
    assert await page.texts(NAMES) == ["Zoë", "s5", "Émile 10", "Emile 2"]
    assert await sorting(page) == ["descending", None, None, None, None]


async def test_who_has_no_score_comes_last_whichever_way_scores_are_sorted(screen: Screen) -> None:
    page = await screen.show(*submissions())
    await page.click('[data-key="1"]')
    assert await page.texts(NAMES) == ["Emile 2", "Zoë", "Émile 10", "s5"]
    await page.click('[data-key="1"]')
    assert await page.texts(NAMES) == ["Émile 10", "Zoë", "Emile 2", "s5"]


async def test_a_search_finds_names_without_their_accents_and_ids_and_verdicts(screen: Screen) -> None:
    page = await screen.show(*submissions())
    for text, found in (("zoe", ["Zoë"]), ("S10", ["Émile 10"]), ("emile wrong", ["Emile 2"]), ("x y", [])):
        await page.run("document.getElementById('search').value = ''")
        await page.click("#search")
        await page.call("Input.insertText", text=text)
        assert await page.texts(NAMES) == found
        assert await page.texts("#shown") == [f"{len(found)} of 4"]


async def test_one_verdict_can_be_shown_alone(screen: Screen) -> None:
    page = await screen.show(*submissions())
    await page.run(
        "(() => { const s = document.getElementById('verdict'); s.value = 'rejected';"
        " s.dispatchEvent(new Event('input')); })()"
    )
    assert await page.texts(NAMES) == ["s5"]


async def test_opening_a_submission_shows_its_cases_what_differs_and_the_limit_that_was_hit(
    screen: Screen,
) -> None:
    page = await screen.show(*submissions())
    await page.click("#s-s2 .open")
    assert await page.texts(f"{PANEL} .name") == ["order", "speed"]
    assert await page.texts(f"{PANEL} .minus mark, {PANEL} .plus mark") == []
    assert await page.texts(f"{PANEL} .minus") == ["-2\n"]
    assert await page.texts(f"{PANEL} .plus") == ["+3\n"]
    assert await page.texts(f"{PANEL} .limit") == ["It was stopped at its time limit."]
    assert "still at it" in await page.texts(f"{PANEL} pre")
    assert "Cut:" in (await page.texts(f"{PANEL} .cut"))[0]
    await page.click("#s-s2 .open")
    assert await page.texts(PANEL) == []


async def test_an_open_submission_stays_with_its_row_when_rows_are_sorted_and_searched(
    screen: Screen,
) -> None:
    page = await screen.show(*submissions())
    await page.click("#s-s3 .open")
    await page.click('[data-key="3"]')
    assert await page.run("document.getElementById('s-s3').nextElementSibling.className") == "panel"
    await page.click("#search")
    await page.call("Input.insertText", text="emile")
    assert await page.texts(PANEL) == []


async def test_who_is_not_graded_is_listed_apart_and_can_be_opened(screen: Screen) -> None:
    lost = result("s4", "infrastructure_failed", error={"code": "lost", "message": "the pool was down"})
    page = await screen.show(*submissions()[:2], lost, missing=["s9"])
    assert await page.texts(".apart tbody bdi") == ["s4", "s9"]
    await page.click(".apart .open")
    assert await page.texts(".apart .message") == ["the pool was down"]


async def test_all_can_be_done_with_the_keyboard(screen: Screen) -> None:
    page = await screen.show(*submissions())
    focus = "document.activeElement.id || document.activeElement.textContent"
    await page.press("Tab", "Enter", "Tab")
    assert await page.run(focus) == "Submission"
    await page.press("Enter")
    assert await page.texts(NAMES) == ["Emile 2", "Émile 10", "s5", "Zoë"]
    await page.press("/")
    assert await page.run(focus) == "search"
    await page.run("document.querySelector('#submissions .open').focus()")
    await page.press("ArrowDown", "ArrowDown", "ArrowUp")
    assert await page.run(focus) == "Émile 10"
    await page.press("Enter")
    assert await page.texts(f"{PANEL} .name") == ["order", "speed"]
    outline = await page.run("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    await page.press("Tab")
    assert await page.run("document.activeElement.tagName") == "SUMMARY"


async def test_a_screen_reader_is_told_what_things_are(screen: Screen) -> None:
    page = await screen.show(*submissions())
    await page.click('[data-key="name"]')
    await page.click("#s-s2 .open")
    tree = (await page.call("Accessibility.getFullAXTree"))["nodes"]
    shown = {
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in tree
        if not node["ignored"]
    }
    assert ("table", "Submissions") in shown
    assert ("columnheader", "Submission") in shown
    assert ("rowheader", "Emile 2 s2") in shown
    assert ("searchbox", "Search") in shown
    assert ("status", "") in shown
    assert ("heading", "Not graded") in shown
    assert any(role == "image" and name.startswith("Submissions by percent") for role, name in shown)
    (button,) = [node for node in tree if node.get("name", {}).get("value") == "Emile 2" and _is_button(node)]
    assert {"name": "expanded", "value": {"type": "booleanOrUndefined", "value": True}} in button[
        "properties"
    ]


def _is_button(node: dict[str, Any]) -> bool:
    return bool(node["role"]["value"] == "button")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_can_be_told_from_its_ground_by_day_and_night(screen: Screen, scheme: str) -> None:
    page = await screen.show(*submissions())
    await page.look(scheme=scheme)
    await page.click("#s-s2 .open")
    poor = await page.run(CONTRAST)
    assert poor == []
    paper = await page.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) > 384) == (scheme == "light")


CONTRAST = """(() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    const color = getComputedStyle(e).backgroundColor;
    return color === "rgba(0, 0, 0, 0)" && e.parentElement ? ground(e.parentElement) : color;
  };
  const ratio = (e) => {
    const both = [light(getComputedStyle(e).color), light(ground(e))];
    return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  };
  return Array.from(document.querySelectorAll("body *"))
    .filter((e) => e.getClientRects().length && !e.closest("svg"))
    .filter((e) => Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.data.trim()))
    .filter((e) => ratio(e) < 4.5).map((e) => e.className + ": " + e.textContent.slice(0, 40));
})()"""


@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_nothing_is_wider_than_the_screen(screen: Screen, width: int) -> None:
    long = "w" * 300
    wide = graded("s1", [case(long, "wrong_answer", diff=long, stdout=stream(long))], metadata=named(long))
    page = await screen.show(wide, *submissions())
    await page.resize(width)
    await page.click("#s-s1 .open")
    assert await page.run("document.documentElement.scrollWidth") <= width


async def test_on_paper_there_are_the_summary_all_rows_and_what_is_open_and_no_controls(
    screen: Screen,
) -> None:
    many = [graded(f"t{number}", [case("x")]) for number in range(600)]
    page = await screen.show(*many)
    assert len(await page.texts(NAMES)) == 500
    await page.click("#s-t1 .open")
    await page.look(media="print", scheme="dark")
    assert len(await page.texts(NAMES)) == 600
    assert len(await page.texts(".histogram")) == 2
    assert await page.texts(f"{PANEL} .name") == ["x"]
    assert await page.texts(".controls, #search, #all") == []
    assert await page.run("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert (await page.pdf()).startswith(b"%PDF")


async def test_a_big_class_is_shown_in_part_until_all_is_asked_for(screen: Screen) -> None:
    page = await screen.show(*(graded(f"t{number}", [case("x")]) for number in range(600)))
    assert await page.texts("#shown") == ["600 of 600, the first 500 shown"]
    await page.click("#all")
    assert len(await page.texts(NAMES)) == 600
    assert await page.run("document.activeElement.textContent") == "t500"


async def test_without_scripts_the_summary_and_the_table_are_there(screen: Screen) -> None:
    await screen.page.call("Emulation.setScriptExecutionDisabled", value=True)
    page = await screen.show(*submissions())
    await page.call("Emulation.setScriptExecutionDisabled", value=False)
    assert await page.texts(NAMES) == ["Émile 10", "Emile 2", "s5", "Zoë"]
    assert len(await page.texts(".histogram")) == 2
    assert "need JavaScript" in (await page.texts("noscript"))[0]
    assert await page.texts("#search") == []
