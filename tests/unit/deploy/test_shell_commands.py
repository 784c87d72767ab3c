from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.azure_commands.shell import commands, named


def texts(script: str) -> list[list[str]]:
    return [[word.text for word in command.words] for command in commands(script)]


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("az group list", [["az", "group", "list"]]),
        ("az a --name x \\\n  --y z\naz b", [["az", "a", "--name", "x", "--y", "z"], ["az", "b"]]),
        ("az a && az b || az c; az d | az e & az f", [["az", letter] for letter in "abcdef"]),
        ("# az a\naz b # az c\naz d#e", [["az", "b"], ["az", "d#e"]]),
        ("if ! az a; then az b; fi", [["az", "a"], ["az", "b"], ["fi"]]),
        ("A=1 B='2 3' az a", [["az", "a"]]),
        ("$ az a", [["az", "a"]]),
        ("az 'a b' \"c d\" e\\ f", [["az", "a b", "c d", "e f"]]),
        ("az a --query '[?x==`1`].y' > out 2>&1 < in", [["az", "a", "--query", "[?x==`1`].y"]]),
        ("az a 2>/dev/null >>log", [["az", "a"]]),
        ("cat <<END\naz not\nEND\naz b", [["cat"], ["az", "b"]]),
        ('echo $((1 + 2)) "${X:-y z}"', [["echo", "$((1 + 2))", "${X:-y z}"]]),
        ("(az a)", [["az", "a"]]),
    ],
)
def test_a_command_is_read_as_the_shell_reads_it(script: str, found: list[list[str]]) -> None:
    assert texts(script) == found


@pytest.mark.parametrize(
    "script",
    [
        "x=$(az a -n b)",
        'echo "$(az a -n b)"',
        "for i in $(az a -n b); do :; done",
        "cat <(az a -n b)",
        "x=${x:-$(az a -n b)}",
        'y="${x:="$(az a -n b)"}"',
    ],
)
def test_a_command_within_another_is_found(script: str) -> None:
    assert [[word.text for word in command.words] for command in named(commands(script), "az")] == [
        ["az", "a", "-n", "b"]
    ]


def test_a_word_tells_whether_it_stands_for_itself() -> None:
    (command,) = named(commands("""az "$A" '$B' c"$(d)" "e" $F"""), "az")
    assert [word.literal for word in command.words] == [True, False, True, False, True, False]


def test_a_command_is_named_by_the_line_it_begins_on() -> None:
    assert [command.line for command in commands("\naz a \\\n --b\n\naz c\n")] == [2, 5]


@given(st.text(alphabet="az \n'\"\\$(){}|&;<>#=-1"))
def test_no_text_is_too_broken_to_be_read(text: str) -> None:
    assert all(command.words for command in commands(text))
