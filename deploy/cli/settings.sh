# shellcheck shell=bash
# What is made, how large, and under which names. Change it here, or set it in the environment; all scripts read this.

: "${LOCATION:=westeurope}"       # a region that has session pools
: "${RESOURCE_GROUP:=jsworker}"   # everything is in it, so that 8-remove.sh can remove everything
: "${POOL_SESSIONS:=20}"          # most sessions at once, of all workers together; 1 to 600
: "${SESSIONS_PER_REPLICA:=10}"   # most sessions that one worker uses
: "${COOLDOWN_SECONDS:=300}"      # a session that nobody has used for that long ends; 300 to 3600
: "${EGRESS:=EgressDisabled}"     # or EgressEnabled: programs reach the internet
: "${QUEUE:=jobs}"                # the Service Bus queue of the jobs
: "${IMAGE_TAG:=latest}"          # of the worker's image; another tag for each version lets you go back

: "${SESSION_POOL:=jsworker-pool}"
: "${WORKER_IDENTITY:=jsworker-worker}"       # what the worker signs in as
: "${PLATFORM_IDENTITY:=jsworker-platform}"   # what Container Apps pulls the image and counts messages as
: "${ENVIRONMENT:=jsworker-environment}"
: "${WORKSPACE:=jsworker-logs}"
: "${WORKER_APP:=jsworker-worker}"

# Names that must be free in all of Azure end in a number, which follows from the subscription and the group:
# so every run of every script means the same resources.
SUBSCRIPTION_ID=${SUBSCRIPTION_ID:-$(az account show --query id --output tsv)}
SUFFIX=${SUFFIX:-$(printf '%s' "$SUBSCRIPTION_ID/$RESOURCE_GROUP" | cksum | cut -d ' ' -f 1)}
: "${NAMESPACE:=jsworker-$SUFFIX}"          # Service Bus
: "${STORAGE_ACCOUNT:=jsworker$SUFFIX}"
: "${REGISTRY:=jsworker$SUFFIX}"

# What Azure calls them.
providers=/subscriptions/$SUBSCRIPTION_ID/resourceGroups/$RESOURCE_GROUP/providers
POOL_ID=$providers/Microsoft.App/sessionPools/$SESSION_POOL
QUEUES_ID=$providers/Microsoft.ServiceBus/namespaces/$NAMESPACE/queues
CONTAINERS_ID=$providers/Microsoft.Storage/storageAccounts/$STORAGE_ACCOUNT/blobServices/default/containers
REGISTRY_ID=$providers/Microsoft.ContainerRegistry/registries/$REGISTRY
ENVIRONMENT_ID=$providers/Microsoft.App/managedEnvironments/$ENVIRONMENT

allow() { # ROLE ON_WHAT WHOM User|ServicePrincipal: gives a role; who has it already keeps it
  az role assignment create --role "$1" --scope "$2" --assignee-object-id "$3" --assignee-principal-type "$4" \
    --output none
}

export POOL_ID QUEUES_ID CONTAINERS_ID REGISTRY_ID ENVIRONMENT_ID
