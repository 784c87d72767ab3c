#!/usr/bin/env bash
# Runs one line of JavaScript in the pool, by hand: a token, the endpoint, one call. Prints the answer.
# A role needs some minutes until it counts, so a call that is refused (403) is made again, with a new token.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "$0")/settings.sh"
: "${PAUSE_SECONDS:=20}"

endpoint=$(az containerapp sessionpool show --name "$SESSION_POOL" --resource-group "$RESOURCE_GROUP" \
  --query properties.poolManagementEndpoint --output tsv)
session="api-version=2025-10-02-preview&identifier=first-call-$RANDOM$RANDOM"

call() { # METHOD URL [CURL'S OPTIONS…]; the token goes in by standard input, where no list of processes shows it
  local token
  token=$(az account get-access-token --resource https://dynamicsessions.io --query accessToken --output tsv)
  printf 'Authorization: Bearer %s' "$token" |
    curl --silent --show-error --fail --header @- --request "$1" "$2" "${@:3}"
}

# shellcheck disable=SC2016 # it is JavaScript that stands in these quotes
body='{"code": "console.log(`hello from Node ${process.version}`)"}'
for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  if call POST "$endpoint/executions?$session" --header "Content-Type: application/json" --data "$body"; then
    echo
    call DELETE "$endpoint/session?$session" || # until it is gone it takes a place in the pool
      echo "the session was not deleted; it ends by itself after $COOLDOWN_SECONDS s" >&2
    exit 0
  fi
  echo "attempt $attempt was refused; again in $PAUSE_SECONDS s" >&2
  sleep "$PAUSE_SECONDS"
done
echo "the pool still refuses: do you have the role Azure ContainerApps Session Executor on it?" >&2
exit 1
