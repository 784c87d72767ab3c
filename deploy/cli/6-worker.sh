#!/usr/bin/env bash
# Starts the worker as a container app: none while the queue is empty, as many as the pool has room for when it is long.
# Run it again after 5-image.sh, or after a change of settings.sh: the new revision takes over, the old one ends its jobs.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "$0")/settings.sh"

for name in "$WORKER_IDENTITY" "$PLATFORM_IDENTITY"; do
  az identity create --name "$name" --resource-group "$RESOURCE_GROUP" --location "$LOCATION" --output none
done
of() { az identity show --name "$1" --resource-group "$RESOURCE_GROUP" --query "$2" --output tsv; }
worker=$(of "$WORKER_IDENTITY" principalId)
platform=$(of "$PLATFORM_IDENTITY" principalId)

allow "Azure ContainerApps Session Executor" "$POOL_ID" "$worker" ServicePrincipal
for queue in "$QUEUE" webhooks; do
  allow "Azure Service Bus Data Receiver" "$QUEUES_ID/$queue" "$worker" ServicePrincipal
  allow "Azure Service Bus Data Sender" "$QUEUES_ID/$queue" "$worker" ServicePrincipal
done
allow "Storage Blob Data Reader" "$CONTAINERS_ID/submissions" "$worker" ServicePrincipal
allow "Storage Blob Data Contributor" "$CONTAINERS_ID/inputs" "$worker" ServicePrincipal
allow "Storage Blob Data Contributor" "$CONTAINERS_ID/results" "$worker" ServicePrincipal

allow AcrPull "$REGISTRY_ID" "$platform" ServicePrincipal
allow "Azure Service Bus Data Owner" "$QUEUES_ID/$QUEUE" "$platform" ServicePrincipal # counting is a call of management

az monitor log-analytics workspace create --workspace-name "$WORKSPACE" --resource-group "$RESOURCE_GROUP" \
  --location "$LOCATION" --output none
workspace=$(az monitor log-analytics workspace show --workspace-name "$WORKSPACE" \
  --resource-group "$RESOURCE_GROUP" --query id --output tsv)
az containerapp env create --name "$ENVIRONMENT" --resource-group "$RESOURCE_GROUP" --location "$LOCATION" \
  --logs-destination azure-monitor --output none
az monitor diagnostic-settings create --name logs --resource "$ENVIRONMENT_ID" --workspace "$workspace" \
  --logs '[{"category": "ContainerAppConsoleLogs", "enabled": true},
           {"category": "ContainerAppSystemLogs", "enabled": true}]' --output none

endpoint=$(az containerapp sessionpool show --name "$SESSION_POOL" --resource-group "$RESOURCE_GROUP" \
  --query properties.poolManagementEndpoint --output tsv)
worker_id=$(of "$WORKER_IDENTITY" id)
platform_id=$(of "$PLATFORM_IDENTITY" id)

# By its digest: a new image under the same tag makes a new revision, too.
image=$REGISTRY.azurecr.io/jsworker@$(az acr repository show --name "$REGISTRY" --image "jsworker:$IMAGE_TAG" \
  --query digest --output tsv)

# The platform's grace is longer than the worker's, which is longer than the longest program: no job is cut short.
az containerapp create --name "$WORKER_APP" --resource-group "$RESOURCE_GROUP" --environment "$ENVIRONMENT" \
  --image "$image" --revisions-mode single --cpu 1 --memory 2Gi \
  --registry-server "$REGISTRY.azurecr.io" --registry-identity "$platform_id" \
  --user-assigned "$worker_id" "$platform_id" --termination-grace-period 300 \
  --min-replicas 0 --max-replicas "$((POOL_SESSIONS / SESSIONS_PER_REPLICA))" \
  --scale-rule-name jobs --scale-rule-type azure-servicebus --scale-rule-identity "$platform_id" \
  --scale-rule-metadata "namespace=$NAMESPACE" "queueName=$QUEUE" "messageCount=$SESSIONS_PER_REPLICA" \
  --env-vars "AZURE_CLIENT_ID=$(of "$WORKER_IDENTITY" clientId)" \
  "JSWORKER_SERVICEBUS_NAMESPACE=$NAMESPACE.servicebus.windows.net" "JSWORKER_QUEUE=$QUEUE" \
  "JSWORKER_STORAGE_ACCOUNT_URL=https://$STORAGE_ACCOUNT.blob.core.windows.net" \
  "JSWORKER_POOL_ENDPOINT=$endpoint" "JSWORKER_SESSION_COOLDOWN_SECONDS=$COOLDOWN_SECONDS" \
  "JSWORKER_MAX_SESSIONS=$POOL_SESSIONS" "JSWORKER_PERMIT_LEASES=true" \
  "JSWORKER_SESSIONS_PER_WORKER=$SESSIONS_PER_REPLICA" "JSWORKER_SHUTDOWN_GRACE_SECONDS=240" \
  --output none
echo "$WORKER_APP runs with at most $((POOL_SESSIONS / SESSIONS_PER_REPLICA)) replicas" >&2
