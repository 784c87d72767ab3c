#!/usr/bin/env bash
# Makes the queues and the containers, and lets you submit, watch and read results. No keys: Entra sign-in only.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "$0")/settings.sh"

az servicebus namespace create --name "$NAMESPACE" --resource-group "$RESOURCE_GROUP" --location "$LOCATION" \
  --sku Standard --minimum-tls-version 1.2 --disable-local-auth true --output none

queue() { # NAME TIME_TO_LIVE
  az servicebus queue create --name "$1" --namespace-name "$NAMESPACE" --resource-group "$RESOURCE_GROUP" \
    --lock-duration PT1M --max-delivery-count 20 --default-message-time-to-live "$2" --max-size 5120 \
    --enable-dead-lettering-on-message-expiration true \
    --enable-duplicate-detection true --duplicate-detection-history-time-window PT30M --output none
}
queue "$QUEUE" P14D
queue webhooks P2D # of events on their way to webhooks, see docs/webhooks.md

az storage account create --name "$STORAGE_ACCOUNT" --resource-group "$RESOURCE_GROUP" --location "$LOCATION" \
  --kind StorageV2 --sku Standard_LRS --https-only true --min-tls-version TLS1_2 \
  --allow-blob-public-access false --allow-shared-key-access false --output none

for container in submissions inputs results; do
  az storage container-rm create --name "$container" --storage-account "$STORAGE_ACCOUNT" \
    --resource-group "$RESOURCE_GROUP" --output none
done

me=$(az ad signed-in-user show --query id --output tsv)
for queue in "$QUEUE" webhooks; do
  allow "Azure Service Bus Data Sender" "$QUEUES_ID/$queue" "$me" User
  allow "Azure Service Bus Data Receiver" "$QUEUES_ID/$queue" "$me" User # explain, reconcile, deadletters
done
for container in submissions inputs results; do
  allow "Storage Blob Data Contributor" "$CONTAINERS_ID/$container" "$me" User
done
echo "the queue $QUEUE and the containers are ready" >&2
