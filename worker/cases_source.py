"""Cases as they lie on a disk, a file with what it refers to or a folder, as one document to be uploaded."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from worker.cases_document import Document, InvalidCases, Problem, read_document
from worker.cases_file import fitting, load_document
from worker.cases_folder import CasesError, pairs_in, settings_in
from worker.folder_files import FolderFiles, UnreadableFile, in_all
from worker.strict_json import to_bytes
from worker.written_cases import WrittenCasesFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worker import places
    from worker.case import CasesFile
    from worker.cases_folder import Pair

_TEXTS = ("stdin", "stdout")  # fields that take text itself; others take {"inline": text}


@dataclass(frozen=True)
class ReadCases:
    """Cases that can be used: the document to upload, and the cases file that it is."""

    document: dict[str, Any]
    file: CasesFile

    @property
    def data(self) -> bytes:
        """The document as canonical JSON: the same cases are the same bytes, however they were written."""
        text = json.dumps(self.document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return to_bytes(text)


def read_cases(path: Path, limit: int) -> ReadCases:
    """Read a cases file, or a folder of pairs of input and output.

    Args:
        path: the file or folder.
        limit: how many bytes it may have, with all that it refers to.

    Raises:
        CasesError: it cannot be used.
    """
    cases = _of_folder(path, limit) if path.is_dir() else _of_file(path, limit)
    size = len(cases.data)
    if size > limit:
        raise CasesError(f"{path} is too large: it has {size:,} bytes as JSON, and {in_all(limit)}")
    return cases


def _of_file(path: Path, limit: int) -> ReadCases:
    real = path.resolve()
    files = FolderFiles(real.parent, limit)
    try:
        document = _inlined(_written(files, real.name), files)
        return ReadCases(document.value, load_document(document))
    except UnreadableFile as fault:
        raise CasesError(f"{path.parent}: {fault}") from None
    except InvalidCases as error:
        raise CasesError(*error.told(str(path))) from None


def _of_folder(folder: Path, limit: int) -> ReadCases:
    """The pairs are the cases; what the folder's cases file says of a case by its name is added."""
    pairs, settings, files = pairs_in(folder), settings_in(folder), FolderFiles(folder, limit)
    try:
        said = _written(files, settings) if settings else Document({"version": 1}, "")
        _check_names(said, pairs)
        document = _with_pairs(_inlined(said, files), pairs, files)
    except UnreadableFile as fault:
        raise CasesError(f"{folder}: {fault}") from None
    except InvalidCases as error:
        raise CasesError(*error.told(str(folder / (settings or "")))) from None
    return _loaded(document, folder, pairs)


def _loaded(document: Document, folder: Path, pairs: Sequence[Pair]) -> ReadCases:
    """What is still wrong by now is wrong with a pair."""
    try:
        return ReadCases(document.value, load_document(document))
    except InvalidCases as error:
        raise CasesError(
            *(problem.told(_name(problem, folder, pairs)) for problem in error.problems)
        ) from None


def _name(problem: Problem, folder: Path, pairs: Sequence[Pair]) -> str:
    index = problem.path[1] if len(problem.path) > 1 else None
    return str(folder / pairs[index].stdout) if isinstance(index, int) else str(folder)


def _written(files: FolderFiles, name: str) -> Document:
    """A cases file as it is written, checked."""
    document = read_document(files.read(name))
    fitting(WrittenCasesFile, document)
    return document


def _check_names(said: Document, pairs: Sequence[Pair]) -> None:
    """Each case of a folder's cases file is one of the pairs, once, and has no input or output of its own."""
    waiting = {pair.name: pair for pair in pairs}
    problems = []
    for index, case in enumerate(said.value.get("cases", [])):
        pair = waiting.pop(case["name"], None)
        path: places.Path = ("cases", index)
        if pair is None:
            message = f"there is no pair {case['name']}.in and {case['name']}.out, or it is here twice"
            problems.append(said.problem((*path, "name"), message))
        elif "stdin" in case:
            problems.append(said.problem((*path, "stdin"), f"{pair.stdin} has it"))
        elif "stdout" in case.get("expect", {}):
            problems.append(said.problem((*path, "expect", "stdout"), f"{pair.stdout} has it"))
    if problems:
        raise InvalidCases(problems)


def _with_pairs(said: Document, pairs: Sequence[Pair], files: FolderFiles) -> Document:
    own = {case["name"]: case for case in said.value.get("cases", [])}
    cases = [_case(pair, own.get(pair.name, {}), files) for pair in pairs]
    return Document({**said.value, "cases": cases}, "")


def _case(pair: Pair, own: dict[str, Any], files: FolderFiles) -> dict[str, Any]:
    expect = {**own.get("expect", {}), "stdout": files.text(pair.stdout)}
    return {**own, "name": pair.name, "stdin": files.text(pair.stdin), "expect": expect}


def _inlined(document: Document, files: FolderFiles) -> Document:
    """The document with the text of files in place of references to them."""
    problems: list[Problem] = []
    inlining = _Inlining(document, files, problems)
    value = inlining.of(document.value, ())
    if problems:
        raise InvalidCases(problems)
    return replace(document, value=value)


@dataclass(frozen=True)
class _Inlining:
    """Walks a checked document, in which whatever has a ``file`` is a reference."""

    document: Document
    files: FolderFiles
    problems: list[Problem]

    def of(self, value: Any, path: places.Path) -> Any:  # noqa: ANN401 - walks any document
        if isinstance(value, list):
            return [self.of(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if "file" not in value:
            return {key: self.of(item, (*path, key)) for key, item in value.items()}
        text = self._text(value["file"], path)
        if path[-1] in _TEXTS:
            return text
        return {**{key: item for key, item in value.items() if key != "file"}, "inline": text}

    def _text(self, name: str, path: places.Path) -> str:
        try:
            return self.files.text(name)
        except UnreadableFile as fault:
            self.problems.append(self.document.problem((*path, "file"), str(fault)))
            return ""
