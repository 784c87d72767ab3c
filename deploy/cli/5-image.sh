#!/usr/bin/env bash
# Builds the worker's image in the cloud, from this clone: no Docker needed here.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "$0")/settings.sh"

az acr create --name "$REGISTRY" --resource-group "$RESOURCE_GROUP" --location "$LOCATION" \
  --sku Basic --admin-enabled false --output none

az acr build --registry "$REGISTRY" --image "jsworker:$IMAGE_TAG" "$(dirname "$0")/../.."
echo "$REGISTRY.azurecr.io/jsworker:$IMAGE_TAG is built" >&2
