"""A class folder as students fill it, submitted by the command and run by a worker."""

import zipfile
from pathlib import Path
from typing import Any

from tests.system.worker.processes import run
from tests.system.worker.services import Services, eventually

LIBRARY = "export const add = (a, b) => a + b;"
PROGRAM = (
    'import { readFileSync } from "node:fs"; import { add } from "./lib/add.js"; console.log(add(20, 22));'
)


def class_folder(folder: Path) -> Path:
    """A folder, an archive, a program, and two that cannot be used."""
    ada = folder / "Ada L_1_assignsubmission_file_"
    (ada / "lib").mkdir(parents=True)
    (ada / "start.js").write_text(PROGRAM)
    (ada / "lib/add.js").write_text(LIBRARY)
    (ada / "package.json").write_text('{"type": "module", "main": "start.js"}')
    with zipfile.ZipFile(folder / "李明_2_assignsubmission_file_.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("my work/src/main.cjs", 'console.log(require("../data ü.json").answer);')
        archive.writestr("my work/data ü.json", '{"answer": 42}')
        archive.writestr("__MACOSX/._main.cjs", "")
    with zipfile.ZipFile(folder / "bomb_3_assignsubmission_file_.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("main.js", bytes(4 << 20))
    (folder / "cem_4_assignsubmission_file_").mkdir()
    (folder / "dora_5_assignsubmission_file_.mjs").write_text("console.log(await 42)")
    return folder


def test_each_submission_of_a_class_folder_has_its_result(
    services: Services, served: str, batch: str, tmp_path: Path
) -> None:
    folder = str(class_folder(tmp_path / "class"))
    options = ["--each", "folder", "--student", "{student}_*_assignsubmission_file_", "--batch", batch]
    done = run("submit", folder, *options, settings={**services.environment, "JSWORKER_QUEUE": served})
    assert done.returncode == 0, done.stderr
    assert "3 jobs submitted" in done.stderr
    assert "2 cannot be used" in done.stderr
    assert "bomb: it unpacks to over 200 times its size" in done.stderr
    results = services.results(batch, eventually(lambda: five_of(services.etags(batch))))
    ended = {result["metadata"]["student"]: ending(result) for result in results.values()}
    assert ended == {
        "Ada L": "42\n",
        "李明": "42\n",
        "bomb": "invalid_submission",
        "cem": "invalid_submission",
        "dora": "42\n",
    }


def five_of(results: dict[str, str]) -> list[str]:
    return list(results) if len(results) == 5 else []


def ending(result: dict[str, Any]) -> str:
    return str(result["error"]["code"] if result["error"] else result["stdout"]["text"])
