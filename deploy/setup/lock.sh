#!/usr/bin/env bash
# Resolves pyproject.toml into deploy/locks: run.txt for the worker alone, local.txt for what the local stack
# needs besides, build.txt for making the wheel, dev.txt for everything; scan.txt for the scanner of deploy/ and
# az.txt for the Azure CLI that `make check-az` asks, which want versions of their own.
set -euo pipefail
python=.venv/bin/python
inputs=$(mktemp -d)
trap 'rm -rf "$inputs"' EXIT

requirements() { # of the extras and groups named; "project" is the project itself
  "$python" - "$@" <<'PY'
import sys, tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())
groups, extras = project["dependency-groups"], project["project"]["optional-dependencies"]

def expand(name):
    for entry in project["project"]["dependencies"] if name == "project" else extras.get(name) or groups[name]:
        yield from expand(entry["include-group"]) if isinstance(entry, dict) else [entry]

print("\n".join(line for name in sys.argv[1:] for line in expand(name)))
PY
}

lock() { # OUTPUT INPUT
  .venv/bin/pip-compile --quiet --generate-hashes --no-annotate --no-header --strip-extras --allow-unsafe \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file "$1" "$2"
}

mkdir -p deploy/locks
requirements project telemetry >"$inputs/run.in"
requirements local >"$inputs/local.in"
requirements build >"$inputs/build.in"
requirements project telemetry local dev lock >"$inputs/dev.in"
requirements scan >"$inputs/scan.in"
requirements az >"$inputs/az.in"
lock deploy/locks/run.txt "$inputs/run.in"
lock deploy/locks/local.txt "$inputs/local.in"
lock deploy/locks/build.txt "$inputs/build.in"
lock deploy/locks/dev.txt "$inputs/dev.in"
lock deploy/locks/scan.txt "$inputs/scan.in"
lock deploy/locks/az.txt "$inputs/az.in"
