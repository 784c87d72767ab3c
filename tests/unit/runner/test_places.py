"""A program that lies in a folder among its files runs as `node src/app.js` would run it."""

import json
from typing import Protocol

import pytest

from worker.runner import Answer, Program, RunSpec

QUICK = RunSpec(timeout_seconds=10, memory_mb=256, output_bytes=1 << 20)
COMMON = b"""
exports.name = "app";
const path = require("path");
const { other } = require("../lib/other");
const seen = path.relative(process.cwd(), __filename);
console.log(JSON.stringify([seen, path.relative(".", process.argv[1]), require.main === module, other()]));
"""
OTHER = b"""exports.other = () => require("../src/app").name;"""
MODULE = b"""
export const name = "app";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { other } from "./other.js";
const seen = path.relative(process.cwd(), fileURLToPath(import.meta.url));
console.log(JSON.stringify([seen, path.relative(".", process.argv[1]), typeof require, other()]));
"""
EXPORTING = b"""import { name } from "./app.js"; export const other = () => name;"""


class Kernel(Protocol):
    def run(self, program: Program, frame_chars: int = ...) -> Answer: ...


@pytest.mark.parametrize(
    ("code", "files", "wanted"),
    [
        (COMMON, {"lib/other.js": OTHER}, ["src/app.js", "src/app.js", True, "app"]),
        (
            MODULE,
            {"src/other.js": EXPORTING, "package.json": b'{"type": "module"}'},
            ["src/app.js", "src/app.js", "undefined", "app"],
        ),
    ],
    ids=["CommonJS", "ESM by package.json"],
)
def test_a_program_has_its_own_name_and_place_and_its_files_find_it(
    kernel: Kernel, code: bytes, files: dict[str, bytes], wanted: list[object]
) -> None:
    program = Program(code, (QUICK,), "src/app.js", tuple(files.items()))
    (run,) = kernel.run(program).runs
    assert run.stdout.inline, run.stderr
    assert json.loads(run.stdout.inline) == wanted
