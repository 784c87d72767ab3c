from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.batch.fakes import MemoryBlobs
from worker.batch import Folder
from worker.report import READ_AHEAD, JsonArray, JsonLines, Table, printable, write

if TYPE_CHECKING:
    from worker.inputs import Content

FOLDER = Folder("results", "hw1")


async def stored(*results: dict[str, Any]) -> MemoryBlobs:
    blobs = MemoryBlobs()
    for result in results:
        await blobs.create(FOLDER.result(result["id"]), json.dumps(result, ensure_ascii=False).encode())
    return blobs


def result(job_id: str, status: str = "succeeded", stdout: str = "", **more: object) -> dict[str, Any]:
    return {"id": job_id, "status": status, "stdout": {"text": stdout}, "stderr": {"text": ""}, **more}


async def test_json_lines_are_the_documents_in_the_order_asked_for() -> None:
    documents = [result("b", stdout="\u2028ü\n"), result("a", "failed")]
    out = io.StringIO()
    outcome = await write(await stored(*documents), FOLDER, ["b", "a"], JsonLines(), out)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == documents
    assert out.getvalue().isascii()
    assert (outcome.written, outcome.missing, outcome.short) == (2, [], 1)


async def test_a_json_array_is_whole_with_none_one_and_many() -> None:
    documents = [result(str(number)) for number in range(3)]
    for count in (0, 1, 3):
        out = io.StringIO()
        await write(await stored(*documents), FOLDER, [str(n) for n in range(count)], JsonArray(), out)
        assert json.loads(out.getvalue()) == documents[:count]


async def test_missing_results_are_named_and_the_others_shown() -> None:
    out = io.StringIO()
    outcome = await write(await stored(result("b")), FOLDER, ["a", "b", "c"], JsonLines(), out)
    assert outcome.missing == ["a", "c"]
    assert len(out.getvalue().splitlines()) == 1


async def test_an_accepted_verdict_falls_not_short_and_another_does() -> None:
    blobs = await stored(result("a", verdict="accepted"), result("b", verdict="wrong_answer"))
    assert (await write(blobs, FOLDER, ["a", "b"], JsonLines(), io.StringIO())).short == 1


async def test_only_a_bounded_number_of_results_is_read_ahead() -> None:
    ids = [str(number) for number in range(100)]
    blobs = await stored(*map(result, ids))
    ahead: list[int] = []

    class Out(io.StringIO):
        def write(self, text: str) -> int:
            ahead.append(len(blobs.reads) - len(ahead))
            return super().write(text)

    await write(blobs, FOLDER, ids, JsonLines(), Out())
    assert max(ahead) <= READ_AHEAD


async def test_results_are_read_together() -> None:
    reading = asyncio.Barrier(READ_AHEAD)

    class Slow(MemoryBlobs):
        async def read(self, blob: str, *, limit: int, etag: str | None = None) -> Content:
            await reading.wait()
            return await super().read(blob, limit=limit, etag=etag)

    blobs = Slow()
    ids = [str(number) for number in range(READ_AHEAD)]
    for job_id in ids:
        await blobs.create(FOLDER.result(job_id), json.dumps(result(job_id)).encode())
    async with asyncio.timeout(10):
        outcome = await write(blobs, FOLDER, ids, JsonLines(), io.StringIO())
    assert outcome.written == READ_AHEAD


async def test_a_table_has_a_line_a_job_within_its_width() -> None:
    documents = [
        result("a", stdout="\n  first\nsecond\n", exit_code=0, attempts=1, timings={"execute_ms": 1234.0}),
        result("b", "failed", stdout="out\n", signal="SIGKILL", attempts=2),
        result("c", "rejected", error={"code": "code_not_found", "message": "no such blob"}),
        result("d", stdout="広" * 200, exit_code=0),
    ]
    out = io.StringIO()
    await write(await stored(*documents), FOLDER, "abcd", Table("abcd", 80), out)
    _, a, b, c, d = out.getvalue().splitlines()
    assert a.split() == ["a", "succeeded", "0", "1.23", "1", "first"]
    assert b.split() == ["b", "failed", "SIGKILL", "2", "out"]
    assert "no such blob" in c
    assert d.endswith("…")
    assert sum(2 if character == "広" else 1 for character in d) <= 80


async def test_a_cancelled_job_is_shown_as_such_and_falls_short() -> None:
    cancelled = result("a", "cancelled", error={"code": "cancelled", "message": "the job was cancelled"})
    out = io.StringIO()
    outcome = await write(await stored(cancelled), FOLDER, ["a"], Table(["a"], 120), out)
    assert out.getvalue().splitlines()[1].split(maxsplit=3) == [
        "a",
        "cancelled",
        "1",
        "the job was cancelled",
    ]
    assert (outcome.missing, outcome.short) == ([], 1)


async def test_hostile_output_is_shown_escaped() -> None:
    out = io.StringIO()
    hostile = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b31m\u2066"
    await write(await stored(result("a", stdout=hostile)), FOLDER, ["a"], Table(["a"], 200), out)
    assert all(character.isprintable() or character == "\n" for character in out.getvalue())
    assert r"\x1b[2J\u202egnp.exe\x9b31m\u2066" in out.getvalue()


@given(st.text())
def test_printable_text_is_all_printable(text: str) -> None:
    assert printable(text).isprintable()


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_text_that_is_printable_stays(text: str) -> None:
    assert printable(text) == text
