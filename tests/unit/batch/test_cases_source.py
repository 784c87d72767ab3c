from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from worker.cases_folder import CasesError
from worker.cases_source import ReadCases, read_cases

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 4 << 20
FILE = """\
version: 1
checker: {file: lib/check.js}
cases:
  - name: large
    compare: checker
    stdin: {file: ./big.in}
    expect:
      stdout: {file: big.out}
    files:
      - {path: data/values.csv, file: lib/values.csv}
      - {path: here.txt, inline: here}
"""
BESIDE = {
    "big.in": "1 2\r\n",
    "big.out": "3\n",
    "lib/check.js": "check()",
    "lib/values.csv": "ä",
}


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def read(path: Path, limit: int = LIMIT) -> ReadCases:
    return read_cases(path, limit)


def told(path: Path, limit: int = LIMIT) -> list[str]:
    with pytest.raises(CasesError) as caught:
        read_cases(path, limit)
    return [line.replace(f"{path.parent}/", "") for line in caught.value.lines]


def test_files_beside_a_cases_file_stand_in_it_when_it_is_uploaded(tmp_path: Path) -> None:
    write(tmp_path, {"cases.yaml": FILE, **BESIDE})
    assert json.loads(read(tmp_path / "cases.yaml").data) == {
        "version": 1,
        "checker": {"inline": "check()"},
        "cases": [
            {
                "name": "large",
                "compare": "checker",
                "stdin": "1 2\r\n",
                "expect": {"stdout": "3\n"},
                "files": [
                    {"path": "data/values.csv", "inline": "ä"},
                    {"path": "here.txt", "inline": "here"},
                ],
            }
        ],
    }


def test_a_harness_may_be_a_file_as_well(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "version: 1\nharness: {code: {file: a.test.js}}", "a.test.js": "test()"})
    assert read(tmp_path / "a.yaml").document == {"version": 1, "harness": {"code": {"inline": "test()"}}}


def test_the_same_cases_are_the_same_bytes_in_yaml_and_in_json(tmp_path: Path) -> None:
    document = {"cases": [{"stdin": "a\n", "name": "ä"}], "version": 1}
    write(tmp_path, {"a.json": json.dumps(document, indent=4)})
    write(tmp_path, {"b.yaml": "# of today\nversion: 1\ncases:\n- name: ä\n  stdin: |\n    a\n"})
    assert read(tmp_path / "a.json").data == read(tmp_path / "b.yaml").data
    assert read(tmp_path / "a.json").data == '{"cases":[{"name":"ä","stdin":"a\\n"}],"version":1}'.encode()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.in", "there is no file absent.in in "),
        ("lib", "lib is no file"),
        ("out", "out leads out of the folder of the cases, "),
        ("circle", "there is no file circle in "),
        ("pipe", "pipe is no file"),
        ("binary", 'binary is not UTF-8 text: save it as such, or upload it and refer to it by {"blob"'),
        ("utf16", "utf16 is UTF-16: save it as UTF-8"),
        ("x" * 300, "there is no file xxx"),
        (
            "huge",
            "huge is too large: it has 20,971,520 bytes, and a cases file with all that it refers to may",
        ),
    ],
)
def test_a_file_that_cannot_be_taken_is_told_where_it_is_named(tmp_path: Path, name: str, words: str) -> None:
    folder = write(tmp_path / "cases", {"lib/a": "", "binary": b"\x89PNG", "utf16": "a".encode("utf-16")})
    (tmp_path / "secret").write_text("s")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "circle").symlink_to(folder / "circle")
    os.mkfifo(folder / "pipe")
    with (folder / "huge").open("wb") as file:
        file.truncate(20 << 20)
    write(folder, {"cases.yaml": f"version: 1\ncases:\n  - name: a\n    stdin:\n      file: {name}\n"})
    (line,) = told(folder / "cases.yaml")
    assert line.startswith(f"cases.yaml:5:7: cases[0].stdin.file: {words}")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "lib/../../secret", "..", "C:\\a"])
def test_a_path_that_leads_elsewhere_is_refused_before_anything_is_looked_for(
    tmp_path: Path, name: str
) -> None:
    document = {"version": 1, "cases": [{"name": "a", "expect": {"stdout": {"file": name}}}]}
    (line,) = told(write(tmp_path, {"c.json": json.dumps(document)}) / "c.json")
    assert "cases[0].expect.stdout.file: must lie beside the cases file or below it" in line


def test_a_link_within_the_folder_is_followed_and_so_is_one_to_the_cases_file(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "real", {"a.in": "1", "c.yaml": "version: 1\ncases: [{name: a, stdin: {file: b.in}}]"}
    )
    (folder / "b.in").symlink_to("a.in")
    (tmp_path / "link.yaml").symlink_to(folder / "c.yaml")
    assert read(tmp_path / "link.yaml").file.cases[0].stdin == "1"


def test_what_is_too_large_is_told_at_once(tmp_path: Path) -> None:
    inline = json.dumps({"version": 1, "cases": [{"name": "a", "expect": {"stdout": "x" * (20 << 20)}}]})
    by_name = "version: 1\ncases: [{name: a, stdin: {file: a.in}}]"
    write(tmp_path, {"cases.json": inline, "small.yaml": by_name, "a.in": "\x01" * 100})
    (line,) = told(tmp_path / "cases.json")
    assert "cases.json is too large: it has 20,97" in line
    assert "upload large inputs" in line
    assert "JSWORKER_MAX_CASES_BYTES" in line
    (line,) = told(tmp_path / "small.yaml", 400)
    assert line.startswith("small.yaml is too large: it has 647 bytes as JSON, and")


def test_a_folder_of_pairs_is_a_case_for_each_in_the_order_people_count(tmp_path: Path) -> None:
    names = ("10", "2", "1", "a10", "a9", "b")
    pairs = {f"{name}{end}": f"{name}{end}\n" for name in names for end in (".in", ".out")}
    write(tmp_path, {**pairs, "._1.in": "", "README.md": "", "deep/x.in": ""})
    cases = read(tmp_path).file.cases
    assert [case.name for case in cases] == ["1", "2", "10", "a9", "a10", "b"]
    assert (cases[0].stdin, cases[0].expect.stdout) == ("1.in\n", "1.out\n")


def test_the_cases_file_of_a_folder_has_defaults_and_tells_of_cases_by_their_names(tmp_path: Path) -> None:
    settings = "version: 1\ncompare: tokens\ncases:\n  - {name: '2', hidden: true, expect: {exit_code: 1}}\n"
    write(tmp_path, {"cases.yml": settings, "1.in": "1", "1.out": "a", "2.in": "2", "2.out": "b"})
    first, second = read(tmp_path).file.cases
    assert (first.name, first.compare, first.hidden) == ("1", "tokens", False)
    assert (second.name, second.compare, second.hidden, second.stdin) == ("2", "tokens", True, "2")
    assert (second.expect.stdout, second.expect.exit_code) == ("b", 1)


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        ({}, ["tests has no cases: they are pairs of files, name.in and name.out"]),
        (
            {"cases.yaml": "version: 1"},
            ["tests has no cases: they are pairs of files, name.in and name.out (to use tests/cases.yaml"],
        ),
        (
            {"2.out": "", "10.in": "", "1.in": "", "1.out": ""},
            ["tests: 2.out has no 2.in beside it", "tests: 10.in has no 10.out beside it"],
        ),
        (
            {"1.in": "", "1.out": "", "cases.yaml": "", "cases.json": ""},
            ["tests: cases.yaml and cases.json are both there: keep one of them"],
        ),
        (
            {
                "1.in": "",
                "1.out": "",
                "cases.yaml": "version: 1\ncases:\n- name: one\n- {name: '1', stdin: a}",
            },
            [
                "tests/cases.yaml:3:3: cases[0].name: there is no pair one.in and one.out, or",
                "tests/cases.yaml:4:15: cases[1].stdin: 1.in has it",
            ],
        ),
        ({"1.in": b"\xff", "1.out": ""}, ["tests: 1.in is not UTF-8 text: save it as such, or upload it"]),
        (
            {"1.in": "", "1.out": "(", "cases.yaml": "version: 1\ncompare: regex"},
            ["tests/1.out: cases[0].expect.stdout: is no regular expression"],
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_told_by_its_files(
    tmp_path: Path, files: dict[str, str | bytes], lines: list[str]
) -> None:
    (tmp_path / "tests").mkdir()
    shown = told(write(tmp_path / "tests", files))
    assert [line[: len(start)] for line, start in zip(shown, lines, strict=True)] == lines


def test_many_lone_files_are_not_all_told(tmp_path: Path) -> None:
    lines = told(write(tmp_path / "t", {f"{number}.in": "" for number in range(50)}))
    assert len(lines) == 21
    assert lines[-1].endswith("… and 30 more")
