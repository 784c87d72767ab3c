"""Hold every call of az and azd in pages, scripts and remedies against the Azure CLI installed beside this.

What the calls use is stored in `az.json`, which the tests read, so that they need no Azure CLI.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def main() -> int:
    """0: all is right, and the stored table too; 1: there are mistakes, or it had to be written anew."""
    from tests.azure_commands import azure_cli, calls, sources, table  # noqa: PLC0415 - after its settings

    told = sources.told(ROOT)
    core = azure_cli.table(calls.candidates(told))
    mistakes = calls.mistakes(told, table.merged(core, table.load(calls.EXTENSION)), table.load(calls.AZD))
    for mistake in mistakes:
        sys.stderr.write(f"{mistake}\n")
    written = table.dump(calls.needed(told, core), azure_cli.version())
    up_to_date = calls.AZ.exists() and calls.AZ.read_text() == written
    if not up_to_date:
        calls.AZ.write_text(written)
        sys.stderr.write(f"{calls.AZ.relative_to(ROOT)} was out of date and is written anew: commit it\n")
    sys.stdout.write(f"{len(told)} calls held against {azure_cli.version()}: {len(mistakes)} mistakes\n")
    return 0 if up_to_date and not mistakes else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"AZURE_CONFIG_DIR": folder, "AZURE_CORE_COLLECT_TELEMETRY": "no"}
        sys.exit(main())
