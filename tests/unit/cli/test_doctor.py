from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from rich.console import Console

from worker.cli import main
from worker.cli.doctor import document
from worker.cli.doctor_lines import rest, summary, wrong
from worker.doctor.finding import Finding
from worker.doctor.probe import Exchange, Reply
from worker.doctor.probe_report import ProbeReport

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = "az storage container create --account-name " + "a" * 90 + " --name results"
FOUND = (
    Finding("credential", "sign-in", "ok", "signed in"),
    Finding("pool-egress", "pool", "warning", "programs can connect to x", "forbid it"),
    Finding(
        "results-container", "storage", "failed", "it does\x1b[31m not exist", COMMAND, {"container": "r"}
    ),
    Finding("create-once", "storage", "unknown", "not looked at", facts={"because": "results-container"}),
)
REPLY = Reply(
    "js-error",
    "What is told of a program that throws?",
    "a | b",
    {"stderr": "Error: `x`"},
    (Exchange("POST executions", 200, 0.1, {"content-type": "application/json"}, '{"a": "`"}'),),
)
REPORT = ProbeReport("2026-01-01T00:00:00Z", "https://HOST", "v", (REPLY,))


def shown() -> str:
    console = Console(file=io.StringIO(), width=80, markup=False, highlight=False)
    for text in wrong(FOUND):
        console.print(text, soft_wrap=True)
    console.print(rest(FOUND))
    console.print(summary(FOUND))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_failed_comes_first_with_its_remedy_on_one_line_then_warnings_then_the_rest() -> None:
    seen = shown()
    assert f"     -> {COMMAND}\n" in seen
    order = ("results-container", "pool-egress", "create-once", "credential")
    assert sorted(order, key=seen.index) == list(order)
    assert seen.rstrip().endswith("4 findings: 1 failed, 1 warning, 1 unknown, 1 ok")


def test_a_narrow_terminal_has_a_paragraph_for_each_finding_with_all_of_its_words() -> None:
    console = Console(file=io.StringIO(), width=40, markup=False, highlight=False)
    console.print(rest(FOUND, is_narrow=True))
    assert isinstance(console.file, io.StringIO)
    seen = " ".join(console.file.getvalue().split())
    assert seen == "unknown storage: create-once: not looked at ok sign-in: credential: signed in"


def test_where_all_is_wrong_there_is_no_empty_table() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(rest([FOUND[2]]), end="")
    assert isinstance(console.file, io.StringIO)
    assert not console.file.getvalue()


def test_a_report_for_people_neither_acts_on_a_terminal_nor_is_html() -> None:
    exchange = Exchange("GET", 500, 0.1, {"content-type": "a\x1b[31m"}, "b\x1b[2J\n```\n# c")
    reply = Reply("place", "What is there?", "Node <img src=x>\x1b]0;d", {}, (exchange,))
    seen = ProbeReport("2026-01-01T00:00:00Z", "https://HOST", "v", (reply,)).markdown()
    assert "\x1b" not in seen
    assert "<img" not in seen
    assert seen.count("```") == 2


def test_text_of_services_does_not_act_on_the_terminal() -> None:
    assert "\x1b" not in shown()


def test_the_document_has_every_finding_and_counts_what_failed() -> None:
    made = document(FOUND, None)
    assert (made["version"], made["failed"]) == (1, 1)
    assert made["findings"][2] == {
        "check": "results-container",
        "part": "storage",
        "status": "failed",
        "message": "it does\x1b[31m not exist",
        "remedy": COMMAND,
        "facts": {"container": "r"},
    }
    assert "probe" not in made
    assert document(FOUND, REPORT)["probe"]["replies"][0]["id"] == "js-error"


def test_a_report_is_markdown_that_what_a_pool_says_does_not_break() -> None:
    lines = REPORT.markdown().splitlines()
    assert "| What is told of a program that throws? | a \\| b |" in lines
    assert lines.count("```") == 2
    assert "`" not in lines[lines.index("```") + 1 : -1][1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--report", "a.md"),
        ("--probe", "--report", "a.json"),
        ("--probe", "--report", "no/such/folder/a.md"),
        ("--probe-full", "--only", "clock"),
        ("--probe", "--only", "storage"),
        ("--only", "queue"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(main, ["doctor", *arguments]).exit_code == 2


def test_settings_that_cannot_be_used_are_findings_and_no_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["doctor"], env={"JSWORKER_MAX_SESSIONS": "0"})
    assert result.exit_code == 1
    assert "JSWORKER_MAX_SESSIONS: Input should be greater than or equal to 1" in result.stdout
    assert "JSWORKER_POOL_ENDPOINT: is required" in result.stdout
    assert "because the settings cannot be used" in " ".join(result.stdout.split())
