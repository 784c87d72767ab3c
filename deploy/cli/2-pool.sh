#!/usr/bin/env bash
# Makes the session pool, and lets you use it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "$0")/settings.sh"

az containerapp sessionpool create --name "$SESSION_POOL" --resource-group "$RESOURCE_GROUP" \
  --location "$LOCATION" --container-type NodeLTS --max-sessions "$POOL_SESSIONS" \
  --cooldown-period "$COOLDOWN_SECONDS" --network-status "$EGRESS" --output none

me=$(az ad signed-in-user show --query id --output tsv)
allow "Azure ContainerApps Session Executor" "$POOL_ID" "$me" User
echo "the pool $SESSION_POOL has room for $POOL_SESSIONS sessions" >&2
