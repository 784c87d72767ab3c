from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from worker.places import Place, PlacedError
from worker.strict_yaml import parse_yaml

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


class Quoting(yaml.SafeDumper):
    """Writes all text in quotes, as who wants to be understood by everyone."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def value(text: str) -> object:
    return parse_yaml(text)[0]


def fault(text: str) -> PlacedError:
    with pytest.raises(PlacedError) as caught:
        parse_yaml(text)
    return caught.value


@given(DOCUMENTS, st.sampled_from([True, False, None]))
def test_what_is_dumped_as_yaml_is_read_as_it_was(document: object, flow: bool | None) -> None:  # noqa: FBT001 - drawn
    dumped = yaml.dump(document, Dumper=Quoting, default_flow_style=flow, sort_keys=False, allow_unicode=True)
    assert repr(value(dumped)) == repr(document)


@given(st.dictionaries(TEXT, PLAIN | st.sampled_from(["Infinity", "1e3", "08", "-", "NaN", "true"])))
def test_text_without_quotes_is_read_as_it_was_or_refused_and_never_as_something_else(
    document: dict[str, Any],
) -> None:
    try:
        read = value(yaml.safe_dump(document, allow_unicode=True))
    except PlacedError as error:
        assert re.search("write it (in quotes|escaped)", error.message)  # noqa: PT017 - few are refused
    else:
        assert read == {key: float(item) if is_number(item) else item for key, item in document.items()}


def is_number(item: object) -> bool:
    """Text like 1e3 is a number in JSON and YAML 1.2, though not to PyYAML: who wants text refuses it."""
    try:
        return (
            isinstance(item, str)
            and yaml.safe_load(item) == item
            and json.loads(item, parse_constant=str) != item
        )
    except (ValueError, yaml.YAMLError):
        return False


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("[]{}&*!-:,?|>'\"#% \n\ta1"))
def test_whatever_comes_is_read_or_refused_in_words(text: str) -> None:
    told = ""
    try:
        parse_yaml(text)
    except PlacedError as error:
        told = f"{error.place}: {error.message}"
    assert not told or re.match(r"\d+:\d+: .", told)


@pytest.mark.parametrize(
    "word",
    [
        "yes",
        "No",
        "on",
        "OFF",
        "010",
        "0x1F",
        "0o17",
        "1_000",
        "+5",
        ".5",
        "5.",
        "12:30",
        "2026-01-31",
        ".inf",
    ],
)
def test_what_readers_of_yaml_do_not_agree_upon_is_to_be_quoted(word: str) -> None:
    told = fault(f"a: 1\nb:\n  - {word}\n")
    assert "quotes" in told.message
    assert (told.place, told.path) == (Place(3, 5), ("b", 0))
    assert value(f"'{word}'") == word
    assert value(f"!!str {word}") == word
    assert value(f"{word}: {word!r}") == {word: word}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("a: |\n  1 2\n  3\n", {"a": "1 2\n3\n"}),
        ("a: >-\n  1\n  2\n", {"a": "1 2"}),
        ("{a: [1, -2.5, 1e3, true, null, ~], b: }", {"a": [1, -2.5, 1000.0, True, None, None], "b": None}),
        ("a: &x {b: [1]}\nc: *x\nd: [*x]", {"a": {"b": [1]}, "c": {"b": [1]}, "d": [{"b": [1]}]}),
        ("a: /usr # comment\nb: a#b", {"a": "/usr", "b": "a#b"}),
    ],
)
def test_the_part_of_yaml_that_people_write_is_read(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("a: 1\nb: 2\na: 3", "the key 'a' is there twice", Place(3, 1)),
        ("a:\n\t- 1", "a tab", Place(2, 1)),
        ("a:\n  - b: 1\n \t  c: 2", "a tab", Place(3, 2)),
        ("a: 1\nb: [1", "no YAML", Place(2, 4)),
        ("a: *b", "*b refers to nothing", Place(1, 4)),
        ("a: &b [*b]", "*b refers to what it stands in", Place(1, 8)),
        ("a: !!python/object:os.system x", "tags", Place(1, 4)),
        ("a: !!set {b}", "tags", Place(1, 4)),
        ("[a]: 1", "a key is text", Place(1, 1)),
        ("- 1\n---\n- 2", "second document", Place(2, 1)),
        ("a: 'x\x07'", "U+0007", Place(1, 6)),
        ("a: 1\nb: x\u2028y", "U+2028", Place(2, 5)),
        ("a: 1e999", "too large", Place(1, 4)),
        (f"a: {'9' * 5000}", "too large", Place(1, 4)),
        ("a: " + "[" * 100 + "]" * 100, "too deeply", Place(1, 102)),
        ("a: " + "[" * 100_000, "too deeply", Place(1, 102)),
    ],
)
def test_what_cannot_be_taken_is_told_with_its_place(text: str, words: str, place: Place) -> None:
    told = fault(text)
    assert words in told.message
    assert told.place == place


def test_aliases_do_not_make_a_small_text_a_large_document() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    told = fault("\n".join(lines))
    assert "multiply" in told.message
