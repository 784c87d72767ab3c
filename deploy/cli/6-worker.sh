#!/usr/bin/env bash
# Starts the worker as a container app: none while the queue is empty, as many as the pool has room for when it is long.
# Run it again after 5-image.sh, or after a change of settings.sh: the new revision takes over, the old one drains.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "$0")/settings.sh"

az identity create --name "$IDENTITY" --resource-group "$RESOURCE_GROUP" --location "$LOCATION" --output none
identity=$(az identity show --name "$IDENTITY" --resource-group "$RESOURCE_GROUP" --query id --output tsv)
principal=$(az identity show --name "$IDENTITY" --resource-group "$RESOURCE_GROUP" --query principalId --output tsv)
client=$(az identity show --name "$IDENTITY" --resource-group "$RESOURCE_GROUP" --query clientId --output tsv)

allow AcrPull "$REGISTRY_ID" "$principal" ServicePrincipal
allow "Azure ContainerApps Session Executor" "$POOL_ID" "$principal" ServicePrincipal
for queue in "$QUEUE" webhooks; do
  allow "Azure Service Bus Data Receiver" "$QUEUES_ID/$queue" "$principal" ServicePrincipal
  allow "Azure Service Bus Data Sender" "$QUEUES_ID/$queue" "$principal" ServicePrincipal
done
for container in submissions inputs results; do
  allow "Storage Blob Data Contributor" "$CONTAINERS_ID/$container" "$principal" ServicePrincipal
done

az monitor log-analytics workspace create --workspace-name "$WORKSPACE" --resource-group "$RESOURCE_GROUP" \
  --location "$LOCATION" --output none
workspace=$(az monitor log-analytics workspace show --workspace-name "$WORKSPACE" \
  --resource-group "$RESOURCE_GROUP" --query customerId --output tsv)
key=$(az monitor log-analytics workspace get-shared-keys --workspace-name "$WORKSPACE" \
  --resource-group "$RESOURCE_GROUP" --query primarySharedKey --output tsv)
az containerapp env create --name "$ENVIRONMENT" --resource-group "$RESOURCE_GROUP" --location "$LOCATION" \
  --logs-destination log-analytics --logs-workspace-id "$workspace" --logs-workspace-key "$key" --output none

endpoint=$(az containerapp sessionpool show --name "$SESSION_POOL" --resource-group "$RESOURCE_GROUP" \
  --query properties.poolManagementEndpoint --output tsv)
replicas=$(((POOL_SESSIONS + SESSIONS_PER_REPLICA - 1) / SESSIONS_PER_REPLICA))

# The grace of the platform, 60 s, is longer than the worker's own (JSWORKER_SHUTDOWN_GRACE_SECONDS, 25).
az containerapp create --name "$WORKER_APP" --resource-group "$RESOURCE_GROUP" --environment "$ENVIRONMENT" \
  --image "$REGISTRY.azurecr.io/jsworker:$IMAGE_TAG" --revisions-mode single --cpu 0.5 --memory 1Gi \
  --registry-server "$REGISTRY.azurecr.io" --registry-identity "$identity" --user-assigned "$identity" \
  --termination-grace-period 60 --min-replicas 0 --max-replicas "$replicas" \
  --scale-rule-name queue --scale-rule-type azure-servicebus --scale-rule-identity "$identity" \
  --scale-rule-metadata "namespace=$NAMESPACE" "queueName=$QUEUE" "messageCount=$SESSIONS_PER_REPLICA" \
  --env-vars "AZURE_CLIENT_ID=$client" \
  "JSWORKER_SERVICEBUS_NAMESPACE=$NAMESPACE.servicebus.windows.net" "JSWORKER_QUEUE=$QUEUE" \
  "JSWORKER_STORAGE_ACCOUNT_URL=https://$STORAGE_ACCOUNT.blob.core.windows.net" \
  "JSWORKER_POOL_ENDPOINT=$endpoint" "JSWORKER_SESSION_COOLDOWN_SECONDS=$COOLDOWN_SECONDS" \
  "JSWORKER_MAX_SESSIONS=$POOL_SESSIONS" "JSWORKER_PERMIT_LEASES=true" \
  "JSWORKER_SESSIONS_PER_WORKER=$SESSIONS_PER_REPLICA" \
  --output none
echo "$WORKER_APP runs with at most $replicas replicas" >&2
