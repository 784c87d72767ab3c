from __future__ import annotations

import io
import time
import tracemalloc
import zipfile
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.batch.zips import link, zipped, zipped_entries
from worker.archives import MAX_DIRECTORY_BYTES, MAX_ENTRIES, unpacked
from worker.faults import SubmissionUnusable
from worker.gathering import MAX_BYTES, MAX_FILES, is_left_out

PARTS = st.sampled_from(
    ["..", ".", "", "a", "b.js", "ü", "node_modules", ".git", "C:", "\\", "x\\..\\y", "a b"]
)
SEGMENTS = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs", "Cc"]), min_size=1)


def read(archive: bytes) -> dict[str, bytes]:
    return unpacked(io.BytesIO(archive))


def refused(archive: bytes) -> str:
    """Why it is not taken."""
    with pytest.raises(SubmissionUnusable) as caught:
        read(archive)
    return str(caught.value)


@given(
    st.dictionaries(st.lists(SEGMENTS, min_size=1, max_size=3).map(tuple), st.binary(max_size=99), max_size=9)
)
def test_what_goes_in_comes_out_under_the_same_names(files: dict[tuple[str, ...], bytes]) -> None:
    names = [path for path in files if ".." not in path and not any(map(is_left_out, path))]
    wanted = {
        "/".join(path): files[path]
        for path in names
        if len(path[0]) != 2 and len("/".join(path).encode()) <= 512 and not path[0][1:].startswith(":")
    }
    folders = {str(parent) for path in wanted for parent in PurePosixPath(path).parents}
    wanted = {path: data for path, data in wanted.items() if path not in folders}
    assert read(zipped(wanted)) == wanted


@given(st.lists(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=6))
def test_no_name_leaves_the_folder(names: list[str]) -> None:
    try:
        files = read(zipped_entries((zipfile.ZipInfo(name), b"") for name in names if name))
    except SubmissionUnusable:
        return
    for path in files:
        assert not path.startswith("/")
        assert "\\" not in path
        assert not {"", ".", ".."} & set(path.split("/"))


@given(st.data())
def test_a_damaged_archive_is_unusable_and_nothing_worse(data: st.DataObject) -> None:
    archive = bytearray(zipped({"main.js": b"console.log(1)" * 20, "deep/ü.txt": b"2"}))
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    try:
        files = read(bytes(archive[: data.draw(st.integers(0, len(archive)))]))
    except SubmissionUnusable:
        return
    assert len(files) <= 2


@pytest.mark.parametrize(
    "name", ["../a.js", "a/../../b.js", "/etc/passwd", "C:\\a.js", "..\\a.js", "__MACOSX/../a"]
)
def test_a_name_that_leads_outside_is_told(name: str) -> None:
    assert "leaves its folder" in refused(zipped({"main.js": b"", name: b""}))


def test_links_are_refused_but_where_they_are_left_out() -> None:
    main = (zipfile.ZipInfo("main.js"), b"1")
    assert "link" in refused(zipped_entries([main, link("data", "/etc/passwd")]))
    assert read(zipped_entries([main, link("node_modules/.bin/x", "../x.js")])) == {"main.js": b"1"}


def test_hidden_files_packages_and_leftovers_of_systems_are_left_out() -> None:
    names = [
        ".env",
        ".git/config",
        "node_modules/a/index.js",
        "__MACOSX/._main.js",
        "a/.DS_Store",
        "a/node_modules/b",
    ]
    assert list(read(zipped({"main.js": b"", **dict.fromkeys(names, b"")}))) == ["main.js"]


def test_names_in_utf_8_that_do_not_say_so_and_names_of_old_systems_are_read_as_meant() -> None:
    archive = zipped({"zoë.js": b"1"})
    unsaid = archive.replace(b"\x00\x08", b"\x00\x00")  # the flag that says so
    assert unsaid != archive
    assert list(read(unsaid)) == ["zoë.js"]
    assert list(read(unsaid.replace("ë".encode(), b"\x89."))) == ["zoë..js"]


def test_separators_of_other_systems_are_separators() -> None:
    assert read(zipped({"src\\": b"", "src\\a.js": b"1", "./b.js": b"2"})) == {"src/a.js": b"1", "b.js": b"2"}


@pytest.mark.parametrize(
    "names", [["a.js", "./a.js"], ["a", "a/b.js"], ["a/b.js", "a"], ["a/b.js", "a\\b.js"]]
)
def test_one_path_twice_is_refused(names: list[str]) -> None:
    assert "twice" in refused(zipped(dict.fromkeys(names, b"")))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_without_a_bound_on_memory_are_refused(method: int) -> None:
    assert "deflate" in refused(zipped({"main.js": b"1" * 999}, method))


def test_an_encrypted_archive_is_told() -> None:
    archive = bytearray(zipped({"main.js": b"1"}))
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    assert "password" in refused(bytes(archive))


def test_what_is_no_archive_is_told() -> None:
    assert "no zip archive" in refused(b"Rar!\x1a\x07\x00")
    assert "no zip archive" in refused(b"")


@pytest.mark.parametrize(("megabytes", "reason"), [(20, "times its size"), (200, "32 MiB")])
def test_a_bomb_costs_neither_memory_nor_time(megabytes: int, reason: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("main.js", "w") as file:
        for _ in range(megabytes):
            file.write(bytes(1 << 20))
    bomb = buffer.getvalue()
    tracemalloc.start()
    started = time.process_time()
    assert reason in refused(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MAX_BYTES + (4 << 20)
    assert time.process_time() - started < 5


def test_a_header_that_lies_about_the_size_does_not_help() -> None:
    data = b"console.log(1)\n" * 200_000
    archive = zipped({"main.js": data})
    small = archive.replace(len(data).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert small != archive
    assert "no zip archive" in refused(small)


def test_what_compresses_well_but_is_small_is_taken() -> None:
    data = b"0" * 1_000_000
    assert read(zipped({"main.js": b"1", "zeros.txt": data}))["zeros.txt"] == data


def test_too_many_files_bytes_and_entries_are_told() -> None:
    assert f"over {MAX_FILES} files" in refused(zipped({f"{n}.js": b"" for n in range(MAX_FILES + 1)}))
    assert len(read(zipped({f"{n}.js": b"" for n in range(MAX_FILES)}))) == MAX_FILES
    large = {f"{n}.bin": bytes(MAX_BYTES // 2) for n in range(3)}
    assert "MiB" in refused(zipped(large, zipfile.ZIP_STORED))
    packages = {f"node_modules/{n}": b"" for n in range(MAX_ENTRIES + 1)}
    assert "leave node_modules out" in refused(zipped(packages, zipfile.ZIP_STORED))


def test_a_list_of_entries_without_end_is_not_read() -> None:
    entries = {f"{n:05}{'x' * 60_000}": b"" for n in range(MAX_DIRECTORY_BYTES // 60_000 + 1)}
    assert "list of files" in refused(zipped(entries, zipfile.ZIP_STORED))
