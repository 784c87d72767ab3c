"""What a job brings along and what it leaves: files, arguments, input, and output of any size."""

import hashlib
import random

from tests.system.worker.services import Services, program

MEGABYTE = 1 << 20


def test_a_program_finds_its_files_arguments_environment_and_input_and_leaves_what_is_collected(
    services: Services, served: str, batch: str
) -> None:
    binary = random.Random(batch).randbytes(300_000)  # noqa: S311 - any bytes
    data = services.upload(f"inputs/{batch}/data.bin", binary)
    stdin = services.upload(f"inputs/{batch}/stdin", binary[::-1])
    code = """
        const fs = require("fs");
        const { createHash } = require("crypto");
        const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");
        fs.mkdirSync("out/deep", { recursive: true });
        fs.writeFileSync("out/deep/copy.bin", fs.readFileSync("deep/er/data.bin"));
        fs.writeFileSync("empty", "");
        console.log(JSON.stringify({
            note: fs.readFileSync("note.txt", "utf8"), data: sha(fs.readFileSync("deep/er/data.bin")),
            stdin: sha(fs.readFileSync(0)), args: process.argv.slice(2), zone: process.env.TZ,
        }));
    """
    files = [{"path": "note.txt", "inline": "grüße\n"}, {"path": "deep/er/data.bin", "blob": data}]
    job = program(
        batch,
        "files",
        code,
        files=files,
        stdin={"blob": stdin},
        args=["--fast", "", "ü"],
        env={"TZ": "Europe/Berlin"},
        collect=["out/deep/copy.bin", "empty"],
        metadata={"student": "s1"},
    )
    result = services.results(batch, services.send(served, [job]))["files"]
    assert (result["status"], result["error"], result["stderr"]["text"]) == ("succeeded", None, "")
    assert result["stdout"]["text"] == (
        f'{{"note":"grüße\\n","data":"{hashlib.sha256(binary).hexdigest()}",'
        f'"stdin":"{hashlib.sha256(binary[::-1]).hexdigest()}","args":["--fast","","ü"],'
        '"zone":"Europe/Berlin"}\n'
    )
    collected = {file["path"]: services.blob(file["blob"]) for file in result["files"]}
    assert collected == {"out/deep/copy.bin": binary, "empty": b""}
    assert {file["path"]: file["bytes"] for file in result["files"]} == {
        "out/deep/copy.bin": len(binary),
        "empty": 0,
    }
    assert result["metadata"] == {"student": "s1"}


def test_a_file_that_is_not_left_is_told(services: Services, served: str, batch: str) -> None:
    job = program(batch, "absent", "console.log(1)", collect=["plot.svg"])
    result = services.results(batch, services.send(served, [job]))["absent"]
    assert (result["status"], result["files"]) == ("succeeded", [])
    assert (result["error"]["code"], result["error"]["field"]) == ("not_collected", "collect")
    assert "plot.svg" in result["error"]["message"]


def test_all_of_a_large_output_is_in_a_blob_and_its_beginning_in_the_result(
    services: Services, served: str, batch: str
) -> None:
    code = """
        const block = Buffer.alloc(1 << 20);
        for (let n = 0; n < 20; n++) { block.fill(97 + n); process.stdout.write(block); }
        process.stderr.write("done\\n");
    """
    job = program(batch, "large", code, limits={"output_bytes": 32 * MEGABYTE, "timeout_seconds": 60})
    stream = services.results(batch, services.send(served, [job]))["large"]["stdout"]
    wanted = b"".join(bytes([97 + n]) * MEGABYTE for n in range(20))
    assert (stream["bytes"], stream["truncated"]) == (20 * MEGABYTE, True)
    assert stream["text"] == "a" * (256 << 10)
    assert hashlib.sha256(services.blob(stream["blob"])).digest() == hashlib.sha256(wanted).digest()


def test_of_a_cells_files_those_that_are_too_large_or_absent_are_told_and_the_others_kept(
    services: Services, served: str, batch: str
) -> None:
    code = "[['most', 32], ['more', 33]].map(([name, mb]) => fs.writeFileSync(name, Buffer.alloc(mb << 20)))"
    job = program(batch, "cell", code, mode="cell", collect=["most", "more", "none"])
    result = services.results(batch, services.send(served, [job]))["cell"]
    assert (result["status"], result["attempts"]) == ("succeeded", 1)
    assert [(file["path"], file["bytes"]) for file in result["files"]] == [("most", 32 * MEGABYTE)]
    assert services.blob(result["files"][0]["blob"]) == bytes(32 * MEGABYTE)
    assert f"did not come: more (more than {32 * MEGABYTE} bytes), none" in result["error"]["message"]
