"""What the pages say of commands and settings is true; and of each block it is said whether it is run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from deploy.site.command_reference import contexts, example_lines
from tests.pages import COMMANDS, PAGES, ROOT, Block, blocks, code_spans, command_lines
from tests.unit.docs.command_line import fault
from worker.planned import OWN_ENVIRONMENT
from worker.setting_groups import PREFIX
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from pathlib import Path

EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
NAMES = {f"{PREFIX}{name}".upper() for name in WorkerSettings.model_fields} | set(OWN_ENVIRONMENT)


def commands(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language in COMMANDS]


@EACH_PAGE
def test_of_each_block_of_commands_it_is_said_whether_it_is_run_or_why_not(page: Path) -> None:
    unsaid = [block.place for block in commands(page) if not block.is_told]
    assert unsaid == [], "say <!-- run --> or <!-- not run: REASON --> on the line before"


@EACH_PAGE
def test_a_block_with_commands_is_known_as_one(page: Path) -> None:
    others = [block for block in blocks(page) if block.language not in COMMANDS]
    assert [
        each.place for each in others if re.search(r"^(\$ |jsworker [a-z])", each.text, re.MULTILINE)
    ] == []
    assert [each.place for each in commands(page) if each.language == "console" and not each.exchanges] == []


@EACH_PAGE
def test_each_command_that_a_page_shows_exists_with_its_options_and_values(page: Path) -> None:
    faults = [
        f"{block.place}: {problem}"
        for block in commands(page)
        for arguments in command_lines(block.script)
        if (problem := fault(arguments))
    ]
    assert faults == []


@EACH_PAGE
def test_each_command_that_a_page_speaks_of_exists_with_its_options(page: Path) -> None:
    spans = [span for span in code_spans(page) if span.startswith("jsworker ")]
    said = [arguments for span in spans for arguments in command_lines(span)]
    assert [problem for arguments in said if (problem := fault(arguments, with_values=False))] == []


@EACH_PAGE
def test_each_setting_that_a_page_names_exists(page: Path) -> None:
    lines = [line for line in page.read_text("utf-8").splitlines() if "is no setting" not in line]
    named = set(re.findall(rf"\b{PREFIX}[A-Z0-9_]*[A-Z0-9]\b", "\n".join(lines)))
    assert sorted(named - NAMES) == []


def test_each_example_of_help_is_one_that_the_command_takes() -> None:
    lines = [line for context in contexts() for line in example_lines(context.command)]
    assert len(lines) > len(list(contexts()))
    told = [fault(arguments) for line in lines for arguments in command_lines(line)]
    assert [problem for problem in told if problem] == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("jsworker nothing", "no command 'nothing'"),
        ("jsworker local nothing", "no command 'nothing'"),
        ("jsworker results hw1 --nothing", "No such option"),
        ("jsworker results hw1 --format yaml", "'yaml' is not one of"),
        ("jsworker watch hw1 --timeout soon", "'soon' is not a valid"),
        ("jsworker watch", "Missing"),
        ("jsworker version now", "takes no ['now']"),
        ('X=1 jsworker version && eval "$(jsworker local env --import)"', "No such option"),
    ],
)
def test_what_no_command_takes_is_found(line: str, problem: str) -> None:
    told = [fault(arguments) for arguments in command_lines(line)]
    assert problem in str(told[-1])
    assert len(told) == line.count("jsworker")
