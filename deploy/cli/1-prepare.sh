#!/usr/bin/env bash
# Makes ready: the extension that knows session pools, the services' providers, the resource group.
# Before it: az login, and az account set --subscription NAME if you have several.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "$0")/settings.sh"

az extension add --name containerapp --allow-preview true --upgrade --yes

for provider in Microsoft.App Microsoft.ServiceBus Microsoft.Storage Microsoft.ManagedIdentity \
  Microsoft.ContainerRegistry Microsoft.OperationalInsights Microsoft.Insights; do
  az provider register --namespace "$provider" --wait
done

az group create --name "$RESOURCE_GROUP" --location "$LOCATION" --output none
echo "the resource group $RESOURCE_GROUP is ready in $LOCATION" >&2
