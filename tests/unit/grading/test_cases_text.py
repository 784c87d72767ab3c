"""Cases files as text: YAML and JSON that say the same, and faults that are found where they stand."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.case import CasesFile
from worker.cases_document import InvalidCases, read_document
from worker.cases_file import load_cases
from worker.places import Path, Place, json_offsets, nearest, shown

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"))
COMPARE = st.sampled_from(["exact", "trimmed", "tokens", "numbers", "unordered_lines", "contains"])
LIMITS = st.fixed_dictionaries(
    {}, optional={"timeout_seconds": st.floats(0.1, 100), "memory_mb": st.integers(16, 1 << 20)}
)
CASE = st.fixed_dictionaries(
    {"name": st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200)},
    optional={
        "stdin": TEXT | st.just({"blob": "inputs/a"}) | st.none(),
        "args": st.lists(TEXT, max_size=3),
        "files": st.lists(st.fixed_dictionaries({"path": st.just("a.csv"), "inline": TEXT}), max_size=2),
        "expect": st.fixed_dictionaries({}, optional={"stdout": TEXT, "exit_code": st.integers(0, 255)}),
        "compare": COMPARE,
        "points": st.floats(0, 1e9) | st.integers(0, 100),
        "hidden": st.booleans(),
        "limits": LIMITS,
    },
)
FILE = st.fixed_dictionaries(
    {"version": st.just(1), "cases": st.lists(CASE, min_size=1, max_size=3)},
    optional={"limits": LIMITS, "compare": COMPARE, "points": st.integers(0, 9)},
)
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Quoting(yaml.SafeDumper):
    """Writes all text in quotes, as who wants to be understood by everyone."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def faults(text: str | bytes) -> list[str]:
    with pytest.raises(InvalidCases) as caught:
        load_cases(text if isinstance(text, bytes) else text.encode())
    return caught.value.told("cases.yaml")


@settings(max_examples=40)
@given(FILE, st.sampled_from([False, None]), st.sampled_from([None, 1]))
def test_a_cases_file_says_the_same_in_json_and_in_yaml(
    document: dict[str, Any],
    flow: bool | None,  # noqa: FBT001 - drawn
    indent: int | None,
) -> None:
    in_yaml = yaml.dump(document, Dumper=Quoting, default_flow_style=flow, allow_unicode=True)
    from_json = load_cases(json.dumps(document, indent=indent).encode())
    assert isinstance(from_json, CasesFile)
    assert load_cases(in_yaml.encode()) == from_json


def parts(value: object, path: Path = ()) -> list[tuple[Path, object]]:
    """All parts of a document, a member of an object by its key."""
    inner: list[tuple[Path, object]] = []
    if isinstance(value, dict):
        inner = [part for key, item in value.items() for part in parts(item, (*path, key))]
    if isinstance(value, list):
        inner = [part for index, item in enumerate(value) for part in parts(item, (*path, index))]
    return [(path, value), *inner]


@given(ANY_JSON, st.sampled_from([None, 0, 2]), st.booleans())
def test_each_part_of_a_json_text_is_found_where_it_begins(
    document: object,
    indent: int | None,
    ascii_only: bool,  # noqa: FBT001 - drawn
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    offsets = list(json_offsets(text))
    assert [path for path, _ in offsets] == [path for path, _ in parts(document)]
    decoder = json.JSONDecoder()
    for (path, offset), (_, value) in zip(offsets, parts(document), strict=True):
        found, _ = decoder.raw_decode(text, offset)
        assert found == (path[-1] if path and isinstance(path[-1], str) else value)


@settings(max_examples=30)
@given(FILE, st.data())
def test_a_field_that_does_not_belong_is_told_with_its_line_in_both_forms(
    document: dict[str, Any], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(document["cases"]) - 1))
    document["cases"][index]["oddity"] = 1
    in_json = json.dumps(document, indent=2)
    in_yaml = yaml.dump(document, Dumper=Quoting, default_flow_style=False)
    for text in (in_json, in_yaml):
        (line,) = (number for number, line in enumerate(text.split("\n"), 1) if '"oddity"' in line)
        assert faults(text)[0].startswith(f"cases.yaml:{line}:")
        assert faults(text)[0].endswith(f"cases[{index}].oddity: there is no such field")


YAML = """\
version: 1
limits: {timeout_seconds: 2}
cases:
  - name: adds
    stdin: "1 2\\n"
    expect:
      stdout: "3\\n"
  - name: other
"""


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ("    points: -1", ":9:5: cases[1].points: Input should be greater than or equal to 0"),
        (
            "    stdin: 12",
            ':9:5: cases[1].stdin: Input should be a valid string: write it in quotes, as "12"',
        ),
        (
            "    stdin: yes",
            ":9:12: cases[1].stdin: yes is text to some and not to others: write it in quotes",
        ),
        ("    stdin: 1e3", ":9:5: cases[1].stdin: Input should be a valid string: write it in quotes, as"),
        ("    compare: nearly", ":9:5: cases[1].compare: Input should be 'exact', 'trimmed'"),
        ("    compare: regex\n    expect: {stdout: '('}", ":10:14: cases[1].expect.stdout: is no regular"),
        ("    name: again", ":9:5: cases[1].name: the key 'name' is there twice"),
        ("\t- name: c", ":9:1: a tab: YAML is indented by spaces alone"),
        ("  - stdin: x", ":9:5: cases[2].name: Field required"),
        ("    limits: [1]", ":9:5: cases[1].limits: Input should be a valid dictionary or instance"),
        ("points: no", ":9:9: points: no is text to some"),
        ("cases: []", ":9:1: cases: the key 'cases' is there twice"),
        ("    harness: x", ":9:5: cases[1].harness: there is no such field"),
    ],
)
def test_a_fault_is_told_by_line_column_and_field(added: str, told: str) -> None:
    (line,) = faults(YAML + added)
    assert line.startswith("cases.yaml" + told)


def test_all_faults_are_told_and_the_worker_tells_the_first_by_its_field() -> None:
    text = YAML + "    points: -1\n    hidden: 1\n"
    assert [line.split(": ")[1] for line in faults(text)] == ["cases[1].points", "cases[1].hidden"]
    with pytest.raises(InvalidCases) as caught:
        load_cases(text.encode())
    assert caught.value.field == "cases.1.points"
    assert caught.value.message.startswith("cases file:9:5: cases[1].points: ")
    assert caught.value.message.endswith("(and 1 more)")


def test_of_hundreds_of_faults_the_first_are_told() -> None:
    lines = faults("version: 1\ncases:\n" + "  - nam: a\n" * 300)
    assert len(lines) == 21
    assert lines[-1] == "… and 580 more"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cases.yaml: the file is empty"),
        (b" \n", "cases.yaml: the file is empty"),
        (YAML.encode("utf-16"), "cases.yaml: the file is UTF-16: save it as UTF-8"),
        (YAML.encode("utf-16-le"), "cases.yaml: the file is UTF-16: save it as UTF-8"),
        (YAML.encode("utf-16-be"), "cases.yaml: the file is UTF-16: save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "cases.yaml:1:1: this is not UTF-8: save the file as UTF-8"),
        (b"PK\x03\x04\0\0", "cases.yaml: the file has NUL bytes: it is no text"),
        (b"version: 1\n# M\xfcller\n", "cases.yaml:2:4: this is not UTF-8: save the file as UTF-8"),
        (b"12", "cases.yaml:1:1: a cases file is an object with version and cases"),
        (b'{"version": 1,\n "cases": [}', "cases.yaml:2:12: this is no JSON: Expecting value"),
        (b'{"version": 1,\n "version": 1}', "cases.yaml:2:2: version: the key 'version' is there twice"),
        (b'{"cases": [1e999]]]}', "cases.yaml: the number 1e999 is too large"),
        (b'{"cases": ' + b"[" * 100_000, "cases.yaml: the file is nested too deeply"),
        (b'{"cases": ' + b"[" * 500 + b"]" * 500 + b"}", "cases.yaml: the file is nested too deeply"),
        (b'{"version": 2}', "cases.yaml:1:2: version: cases files of version 1 are known, not 2"),
    ],
)
def test_what_is_no_cases_file_is_told_as_what_it_is(data: bytes, told: str) -> None:
    assert faults(data) == [told]


@given(st.binary(max_size=200) | st.text().map(str.encode) | st.text('{}[]":, 1a\n-').map(str.encode))
def test_whatever_comes_is_a_document_or_a_fault_in_words(data: bytes) -> None:
    told = "read"
    try:
        read_document(data)
    except InvalidCases as error:
        (told,) = error.told("cases.yaml")
    assert told == "read" or told.startswith("cases.yaml:")


def test_the_same_file_is_read_once() -> None:
    data = YAML.encode()
    assert load_cases(data) is load_cases(bytes(bytearray(data)))


def test_what_is_missing_stands_where_it_should_have_been() -> None:
    assert nearest(("cases", 0, "name"), {(), ("cases",), ("cases", 0)}) == ("cases", 0)
    assert nearest(("cases",), {}) is None
    assert shown(("cases", 0, "files", 2, "path")) == "cases[0].files[2].path"
    assert Place.at("a\nbc", 3) == Place(2, 2)
