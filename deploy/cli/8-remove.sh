#!/usr/bin/env bash
# Removes all of it for good, results and logs included. Asks first.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "$0")/settings.sh"

az group delete --name "$RESOURCE_GROUP"
