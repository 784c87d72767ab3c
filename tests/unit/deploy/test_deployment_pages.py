from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.azure_commands.sources import SHELLS, blocks

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "deploy" / "infra"
MAIN = (INFRA / "main.bicep").read_text()
PARAMETERS = (INFRA / "main.bicepparam").read_text()
DEPLOYING = (ROOT / "docs" / "deploying.md").read_text()
OUTPUTS = set(re.findall(r"^output (\w+) ", MAIN, re.MULTILINE))
ROW = re.compile(r"^\| `(\w+)` \| `([A-Z_]+)` \| ([^|]+) \|", re.MULTILINE)


def shell_of(page: str) -> str:
    return "\n".join(text for language, text, _ in blocks(page) if language in SHELLS)


@pytest.mark.parametrize("page", ["deploying", "operating"])
def test_each_variable_that_a_page_uses_is_set_on_it_or_an_output_of_the_deployment(page: str) -> None:
    shell = shell_of((ROOT / "docs" / f"{page}.md").read_text())
    used = set(re.findall(r"\$\{?([A-Za-z_]\w*)", shell))
    set_here = set(re.findall(r"(?:^|\s)([A-Za-z_]\w*)=", shell))
    assert used
    assert used - set_here - OUTPUTS == set()


def test_each_parameter_of_the_deployment_is_told_and_no_other() -> None:
    assert [name for name, _, _ in ROW.findall(DEPLOYING)] == re.findall(r"^param (\w+) ", MAIN, re.MULTILINE)


def test_each_parameter_is_read_from_the_variable_that_is_told_with_the_default_that_is_told() -> None:
    read = {
        name: (variable, default)
        for name, variable, default in re.findall(
            r"^param (\w+) = .*readEnvironmentVariable\('(\w+)'(?:, '([^']*)')?\)", PARAMETERS, re.MULTILINE
        )
    }
    for name, variable, default in ROW.findall(DEPLOYING):
        assert read[name][0] == variable
        assert default.strip("`") == read[name][1] or not read[name][1], name


def test_azd_sets_what_it_reads() -> None:
    known = {variable for _, variable, _ in ROW.findall(DEPLOYING)}
    for page in ("deploying", "operating"):
        told = set(re.findall(r"azd env set ([A-Z_]+)", (ROOT / "docs" / f"{page}.md").read_text()))
        assert told <= known


def test_each_alert_of_the_deployment_is_told_with_what_to_do() -> None:
    alerts = re.findall(
        r"^ {2,4}name: '([a-z-]+)'$", (INFRA / "modules" / "alerts.bicep").read_text(), re.MULTILINE
    )
    headings = re.findall(r"^### (.+)$", (ROOT / "docs" / "operating.md").read_text(), re.MULTILINE)
    assert len(set(alerts)) > 4
    assert set(alerts) == set(headings)
