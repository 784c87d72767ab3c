from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.azure_commands import calls, remedies, shell, sources
from tests.azure_commands.table import Option, Usage, dump, load, problems

ROOT = Path(__file__).parents[3]
TABLE = {
    "queue create": Usage(
        (
            Option(("--name", "-n"), required=True),
            Option(("--sku",), choices=("Basic", "Standard")),
            Option(("--tags",), "some"),
            Option(("--yes", "-y"), "none"),
            Option(("--dead", "-d"), "maybe", choices=("true", "false")),
        )
    ),
    "image build": Usage((Option(("--file",)),), (1, 1)),
}


def wrong(script: str, *, whole: bool = True) -> list[str]:
    (command,) = shell.commands(script)
    return problems(command.words, TABLE, whole=whole)


def test_every_call_in_pages_and_scripts_is_one_that_az_and_azd_take() -> None:
    told = sources.told(ROOT)
    az, azd = calls.stored()
    assert calls.mistakes(told, az, azd) == [], "if a call is right, run: make check-az"
    files = {call.where.split(":")[0] for call in told}
    assert files >= {"docs/deploying.md", "deploy/cli/6-worker.sh", sources.REMEDIES}


def test_what_is_stored_of_az_is_what_the_calls_use() -> None:
    stored = calls.AZ.read_text()
    source = stored.split('"')[3]
    assert dump(calls.needed(sources.told(ROOT), load(calls.AZ)), source) == stored, "run: make check-az"


async def test_the_stored_remedies_are_those_that_the_doctor_gives() -> None:
    stored = remedies.MADE.read_text().splitlines()
    assert await remedies.made() == stored, "run: python -m tests.azure_commands.remedies, then make check-az"


def test_no_command_in_a_remedy_is_overlooked() -> None:
    for line in remedies.MADE.read_text().splitlines():
        calls_of_az = re.findall(r"(?<![\w-])az (?=[a-z])", line.partition("  # ")[0])
        assert len(list(sources.of_remedy(line))) == len(calls_of_az), line


def test_every_command_of_az_in_the_package_is_among_the_remedies() -> None:
    stored = remedies.MADE.read_text()
    begun = {
        (path.name, found)
        for path in (ROOT / "worker").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for found in re.findall(r"(?<![\w-])az (?:[a-z][\w-]*(?: |\Z))*", node.value)
    }
    assert {name for name, _ in begun} >= {"namespace.py", "roles.py"}
    assert [each for each in sorted(begun) if each[1] not in stored] == []


@pytest.mark.parametrize(
    "script",
    [
        "az queue create -n a",
        "az queue create --name=a --sku standard --tags a=b c=d --yes",
        "az queue create --name $A --sku $B",
        "az queue create --name a --tags --dead -y",
        "az image build . --file x",
    ],
)
def test_a_right_call_has_no_problems(script: str) -> None:
    assert wrong(script) == []


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("az queue make --name a", "az has no command 'queue make --name a'"),
        ("az queue create --sku Basic", "--name is required"),
        ("az queue create --name a --size 3", "there is no option --size"),
        ("az queue create --name a --sku Premium", "--sku cannot be Premium, but: Basic, Standard"),
        ("az queue create --name a --sku=Premium", "--sku cannot be Premium, but: Basic, Standard"),
        ("az queue create --name --yes", "--name has no value"),
        ("az queue create --name a b", "1 words belong to no option; it takes 0 to 0"),
        ("az queue create --name a --yes b", "1 words belong to no option; it takes 0 to 0"),
        ("az image build --file x", "0 words belong to no option; it takes 1 to 1"),
    ],
)
def test_a_wrong_call_is_told(script: str, problem: str) -> None:
    assert wrong(script) == [problem]


def test_running_text_may_speak_of_a_command_without_all_that_it_requires() -> None:
    assert wrong("az queue create --sku Basic", whole=False) == []
    assert wrong("az queue", whole=False) == []
    assert wrong("az queue delete", whole=False) == ["az has no command 'queue delete'"]
    assert wrong("az queue create --size", whole=False) == ["there is no option --size"]


def test_pages_tell_commands_in_blocks_sessions_and_running_text(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(
        "Run `az login`:\n\n```bash\naz a \\\n  --b\n```\n\n"
        "```\n$ az c\naz is out\n```\n\n```yaml\naz: d\n```\n"
    )
    found = [(call.where, call.words[1].text, call.whole) for call in sources.told(tmp_path)]
    assert sorted(found) == [
        ("README.md:1", "login", False),
        ("README.md:4", "a", True),
        ("README.md:9", "c", True),
    ]
