"""What the project's Dockerfiles say, read as Docker reads them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
WORKER = "Dockerfile"
LOCAL = "deploy/local.Dockerfile"


@dataclass(frozen=True)
class Instruction:
    """One instruction, continuation lines joined."""

    name: str
    value: str


def instructions(file: str = WORKER) -> list[Instruction]:
    text = re.sub(r"^#.*\n", "", (ROOT / file).read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()]


def stages(file: str = WORKER) -> list[list[Instruction]]:
    """The instructions of each stage; the last one is the image."""
    found: list[list[Instruction]] = []
    for instruction in instructions(file):
        if instruction.name == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def value(name: str, file: str = WORKER) -> str:
    """What the image's only instruction of this name says."""
    (found,) = [instruction.value for instruction in stages(file)[-1] if instruction.name == name]
    return found


def words(name: str) -> list[str]:
    """The exec form of an instruction; the shell form is no JSON."""
    command = value(name)
    given: list[str] = json.loads(command[command.index("[") :])
    return given


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in value("ENV").split())


def commands(file: str = WORKER) -> list[str]:
    """The commands that the build runs, one by one."""
    return [
        part.strip()
        for stage in stages(file)
        for instruction in stage
        if instruction.name == "RUN"
        for part in re.sub(r"--mount=\S+", "", instruction.value).split("&&")
    ]
