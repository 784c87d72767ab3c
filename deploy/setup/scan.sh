#!/usr/bin/env bash
# Looks for insecure settings in deploy/infra and the Dockerfile. What is accepted says so where it stands, by a
# comment "checkov:skip=CHECK: reason". Usage: scan.sh VENV
set -euo pipefail
venv=$1
lock=deploy/locks/scan.txt

if ! cmp -s "$lock" "$venv/lock.txt"; then
  echo "Installing checkov into $venv from its lock"
  "${PYTHON:-python3}" -m venv --clear "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  cp "$lock" "$venv/lock.txt"
fi

scan() { LOG_LEVEL=ERROR "$venv/bin/checkov" --skip-download --quiet --compact "$@"; }

summary=$(scan --directory deploy/infra --framework bicep --output json --soft-fail)
"$venv/bin/python" - "$summary" <<'PY'
import json, sys

summary = json.loads(sys.argv[1])["summary"]
if summary["parsing_errors"]:  # which checkov itself lets pass
    sys.exit(f"{summary['parsing_errors']} files below deploy/infra could not be parsed")
PY
scan --directory deploy/infra --framework bicep
scan --file Dockerfile --framework dockerfile
