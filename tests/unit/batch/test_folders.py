from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.unit.batch.zips import zipped
from worker.faults import SubmissionUnusable
from worker.folders import read_file, read_files
from worker.gathering import MAX_BYTES, MAX_DEPTH, MAX_FILES

if TYPE_CHECKING:
    from pathlib import Path


def refused(path: Path) -> str:
    with pytest.raises(SubmissionUnusable) as caught:
        (read_files if path.is_dir() else read_file)(path)
    return str(caught.value)


def test_the_files_of_a_folder_have_their_paths_in_it_and_some_are_left_out(tmp_path: Path) -> None:
    for name in ("main.js", "src/ü 🦊.js", ".git/config", "node_modules/a/b.js", "__MACOSX/c", ".DS_Store"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert read_files(tmp_path) == {"main.js": b"main.js", "src/ü 🦊.js": "src/ü 🦊.js".encode()}


def test_a_folder_of_one_archive_is_that_archive(tmp_path: Path) -> None:
    (tmp_path / "My work.ZIP").write_bytes(zipped({"main.js": b"1"}))
    assert read_files(tmp_path) == {"main.js": b"1"}
    (tmp_path / "more.js").write_text("2")
    assert sorted(read_files(tmp_path)) == ["My work.ZIP", "more.js"]


def test_a_link_is_refused_wherever_it_leads(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the teacher's")
    folder = tmp_path / "ada"
    folder.mkdir()
    for target in (secret, tmp_path, tmp_path / "absent"):
        (folder / "data").symlink_to(target)
        assert "'data' is a link" in refused(folder)
        (folder / "data").unlink()
    (tmp_path / "linked").symlink_to(folder)
    assert "'linked' is a link" in refused(tmp_path / "linked")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "main.js")
    assert "pipe" in refused(tmp_path / "main.js")


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SubmissionUnusable, match=r"'absent\.js' cannot be read: No such file"):
        read_file(tmp_path / "absent.js")


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "a\udcff.js").write_text("1")
    assert "no text" in refused(tmp_path)


def test_what_is_beyond_the_bounds_is_told(tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(MAX_FILES + 1):
        (many / f"{number}.js").touch()
    assert f"over {MAX_FILES} files" in refused(many)
    large = tmp_path / "large.js"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "32 MiB" in refused(large)
    deep = tmp_path / "deep"
    (deep / "/".join(["d"] * (MAX_DEPTH + 1))).mkdir(parents=True)
    assert f"{MAX_DEPTH} deep" in refused(deep)
