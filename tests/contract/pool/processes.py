"""What is alive on this machine, for tests that must leave nothing behind."""

import time
from pathlib import Path


def descendants(pid: int) -> set[tuple[int, str]]:
    """Return every process under `pid`, each with its start time, since numbers are used again."""
    parents = {
        int(entry.name): _stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()
    }
    found = {pid}
    while more := {child for child, fields in parents.items() if fields and int(fields[1]) in found} - found:
        found |= more
    return {(child, fields[19]) for child in found - {pid} if (fields := parents[child])}


def alive(processes: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Return those that still run; a zombie does not."""
    return {
        (pid, start)
        for pid, start in processes
        if (fields := _stat(pid)) and fields[19] == start and fields[0] != "Z"
    }


def all_end(processes: set[tuple[int, str]], seconds: float = 20.0) -> bool:
    """Wait until none of the processes runs."""
    deadline = time.monotonic() + seconds
    while alive(processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []
