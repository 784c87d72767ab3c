from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tests.unit.batch.fakes import MemoryBlobs
from tests.unit.report.documents import FOLDER, HIDDEN_BLOB, case, graded
from worker.cli import main
from worker.cli.results import Reporting, report

if TYPE_CHECKING:
    from pathlib import Path


async def stored() -> MemoryBlobs:
    blobs = MemoryBlobs()
    document = graded("ada", [case("x", hidden=True)], hidden_blob=HIDDEN_BLOB)
    await blobs.create(FOLDER.result("ada"), json.dumps(document).encode())
    await blobs.create(HIDDEN_BLOB, json.dumps({"0": {"stdout": "secret"}}).encode())
    return blobs


@pytest.mark.parametrize("command", ["results", "grade"])
@pytest.mark.parametrize("options", [["--per-student", "pages"], ["--format", "csv", "--without-hidden"]])
def test_what_is_for_pages_is_refused_elsewhere(command: str, options: list[str]) -> None:
    answer = CliRunner().invoke(main, [command, "hw1" if command == "results" else ".", *options])
    assert answer.exit_code == 2
    assert "--format html" in answer.output


async def test_jobs_without_a_result_are_named_on_stderr_and_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "gradebook.csv"
    outcome = await report(await stored(), FOLDER, ["ada", "b"], Reporting("csv", out), {"b": "Barbara"})
    assert outcome.missing == ["b"]
    assert "1 of 2 jobs have no result yet: b" in capsys.readouterr().err
    assert out.read_bytes().startswith(b"\xef\xbb\xbfstudent,id,")
    assert "\r\nBarbara,b,not graded: no result yet,,,," in out.read_bytes().decode()


async def test_a_report_and_the_students_pages_are_written_in_one_go(tmp_path: Path) -> None:
    blobs = await stored()
    await report(
        blobs, FOLDER, ["ada"], Reporting("html", tmp_path / "report.html", pages=tmp_path / "pages")
    )
    assert "secret" in (tmp_path / "report.html").read_text()
    assert "secret" not in (tmp_path / "pages" / "ada.html").read_text()
    assert blobs.reads == [FOLDER.result("ada"), HIDDEN_BLOB]


async def test_a_table_and_a_report_are_had_from_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reporting = Reporting(page=tmp_path / "report.html", pages=tmp_path / "pages")
    await report(await stored(), FOLDER, ["ada"], reporting)
    shown = capsys.readouterr()
    assert "1 job: 1 accepted" in shown.out
    assert f"report: {tmp_path / 'report.html'}" in shown.err
    assert "secret" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "pages" / "ada.html").exists()


@pytest.mark.parametrize(
    "reporting", [Reporting("csv"), Reporting("jsonl"), Reporting("html", hidden=False)], ids=lambda r: r.form
)
async def test_what_hidden_cases_hide_is_read_for_the_teachers_page_alone(reporting: Reporting) -> None:
    blobs = await stored()
    await report(blobs, FOLDER, ["ada"], reporting)
    assert blobs.reads == [FOLDER.result("ada")]
