from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.bundles import bundle, with_program
from worker.faults import SubmissionUnusable
from worker.job import validate_job
from worker.names import check_blob

JOB = {"version": 1, "id": "ada", "batch": "hw1", "metadata": {"student": "ada"}}
PLACE = "submissions/hw1/ada"
PATHS = st.lists(
    st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=20),
    min_size=1,
    max_size=3,
).map("/".join)


def package(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def program(*paths: str, entry: str | None = None, **files: bytes) -> str:
    """Which of these files is the program."""
    named = {path.replace("package", "package.json"): data for path, data in files.items()}
    return with_program({**dict.fromkeys(paths, b""), **named}, entry)[1]


def test_the_program_is_the_one_that_package_json_names_as_node_finds_it() -> None:
    paths = ("main.js", "lib/start.js", "lib/index.js")
    assert program(*paths, package=package(main="./lib/start.js")) == "lib/start.js"
    assert program(*paths, package=package(main="lib/start")) == "lib/start.js"
    assert program(*paths, package=package(main="./lib/")) == "lib/index.js"


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"\xff",
        package(),
        package(main=1),
        package(main="absent.js"),
        package(main="../x"),
        b"[" * 9999,
    ],
)
def test_a_package_json_that_names_nothing_that_is_there_says_nothing(content: bytes) -> None:
    assert program("index.js", "util.js", package=content) == "index.js"


def test_else_it_is_main_else_index_else_the_only_one() -> None:
    assert program("main.mjs", "index.js", "a.js") == "main.mjs"
    assert program("INDEX.JS", "a.js", "deep/main.js") == "INDEX.JS"
    assert program("src/a.cjs", "readme.md") == "src/a.cjs"


def test_a_folder_that_has_all_in_it_is_looked_through() -> None:
    files, entry = with_program({"ada/hw/main.js": b"1", "ada/hw/src/b.js": b"2"}, None)
    assert (files, entry) == ({"main.js": b"1", "src/b.js": b"2"}, "main.js")


def test_the_program_that_is_asked_for_is_taken_wherever_it_is_looked_for_from() -> None:
    assert program("main.js", "a.js", entry="a.js") == "a.js"
    assert with_program({"ada/src/a.js": b"1"}, "src/a.js") == ({"src/a.js": b"1"}, "src/a.js")
    with pytest.raises(SubmissionUnusable, match=r"no b\.js in it"):
        program("main.js", entry="b.js")


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["a.js", "b.js"], r"several .*'a\.js', 'b\.js'.*--entry"),
        (["main.js", "main.mjs"], r"several .*--entry"),
        ([f"{n}.js" for n in range(9)], r"and 4 more.*--entry"),
        (["essay.docx"], r"no \*\.js.*--entry.*'essay\.docx'"),
        ([], "empty"),
    ],
)
def test_none_or_several_are_a_problem_that_says_what_to_do(paths: list[str], reason: str) -> None:
    with pytest.raises(SubmissionUnusable, match=reason):
        program(*paths)


def test_the_job_has_the_program_at_its_path_and_the_others_beside_it() -> None:
    files = {"src/app.mjs": b"1", "src/util.js": b"2", "package.json": package(main="src/app.mjs")}
    document, blobs = bundle(JOB, files, PLACE, None)
    job = validate_job(document)
    assert job.code.path == "src/app.mjs"
    assert document["code"]["sha256"] == hashlib.sha256(b"1").hexdigest()
    lying = {file["path"]: blobs[file["blob"]] for file in document["files"]}
    assert lying == {path: data for path, data in files.items() if path != "src/app.mjs"}
    assert blobs[document["code"]["blob"]] == b"1"


def test_other_content_makes_another_job() -> None:
    first, _ = bundle(JOB, {"main.js": b"1", "util.js": b"2"}, PLACE, None)
    assert first != bundle(JOB, {"main.js": b"1", "util.js": b"3"}, PLACE, None)[0]


@given(st.dictionaries(PATHS, st.binary(max_size=9), max_size=9))
def test_blobs_have_safe_names_whatever_the_files_are_called(files: dict[str, bytes]) -> None:
    try:
        document, blobs = bundle(JOB, {**files, "main.js": b"0"}, PLACE, "main.js")
    except SubmissionUnusable:
        return  # a path that no job takes
    for blob in blobs:
        check_blob(blob)
        assert blob.isascii()
        assert blob.startswith(f"{PLACE}/")
    assert {file["path"]: blobs[file["blob"]] for file in document["files"]} == {
        path: data for path, data in files.items() if path != "main.js"
    }


def test_a_path_that_no_job_takes_is_a_problem() -> None:
    with pytest.raises(SubmissionUnusable, match="path"):
        bundle(JOB, {"main.js": b"", "x" * 600: b""}, PLACE, None)
