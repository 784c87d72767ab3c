#!/usr/bin/env bash
# Grades the example class in the cloud: 7-batch.sh [BATCH]. It needs jsworker on the PATH, from this clone: pip install .
set -euo pipefail
here=$(dirname "$0")
batch=${1:-first}
settings=$("$here/environment.sh")
eval "$settings"

jsworker doctor
jsworker submit "$here/../../examples/grading/submissions" --each folder \
  --cases "$here/../../examples/grading/cases.yaml" --batch "$batch"
jsworker watch "$batch"
jsworker results "$batch"
