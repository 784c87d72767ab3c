#!/usr/bin/env bash
# Prints the settings of jsworker's commands, for a desk: eval "$(deploy/cli/environment.sh)"
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "$0")/settings.sh"

endpoint=$(az containerapp sessionpool show --name "$SESSION_POOL" --resource-group "$RESOURCE_GROUP" \
  --query properties.poolManagementEndpoint --output tsv)
cat <<END
export JSWORKER_SERVICEBUS_NAMESPACE=$NAMESPACE.servicebus.windows.net
export JSWORKER_QUEUE=$QUEUE
export JSWORKER_STORAGE_ACCOUNT_URL=https://$STORAGE_ACCOUNT.blob.core.windows.net
export JSWORKER_POOL_ENDPOINT=$endpoint
export JSWORKER_MAX_SESSIONS=$POOL_SESSIONS
export JSWORKER_SESSIONS_PER_WORKER=$SESSIONS_PER_REPLICA
export JSWORKER_SESSION_COOLDOWN_SECONDS=$COOLDOWN_SECONDS
export JSWORKER_PERMIT_LEASES=true
END
