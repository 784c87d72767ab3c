// All that a deployment of jsworker consists of, in a resource group of its own. `azd provision`, or
//   az deployment sub create --location LOCATION --template-file main.bicep --parameters main.bicepparam
// The worker itself is in worker.bicep; it is part of this only if there is an image already.
targetScope = 'subscription'

@description('Names the resource group and tells deployments apart.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Where everything is. Dynamic sessions are not offered in all regions.')
param location string

@description('The most sessions that the pool has at a time, of all workers together.')
@minValue(1)
@maxValue(600)
param poolSessions int = 20

@description('The most sessions that one replica of the worker uses. The pool divided by it is the most replicas.')
@minValue(1)
@maxValue(600)
param sessionsPerReplica int = 10

@description('Seconds after which the pool deletes a session that is not used.')
@minValue(300)
@maxValue(3600)
param cooldownSeconds int = 300

@description('Whether programs reach the Internet. They are untrusted: leave it disabled.')
@allowed(['EgressDisabled', 'EgressEnabled'])
param egress string = 'EgressDisabled'

@description('The queue of jobs.')
@minLength(1)
@maxLength(50)
param queueName string = 'jobs'

@description('Days after which the results of a batch are deleted.')
@minValue(1)
@maxValue(36500)
param resultsRetentionDays int = 90

@description('Object id of a user or group that may submit jobs; none if empty.')
param submitterPrincipalId string = ''

@description('Object id of a user or group that may read results; none if empty.')
param readerPrincipalId string = ''

@description('Who is told when an alert fires; nobody if empty. Alerts are seen in the portal all the same.')
param alertEmail string = ''

@description('Whether blobs that are put into the container incoming become jobs, by infra/config/routes.yaml.')
param incoming bool = false

@description('Whether runs are scheduled, by infra/config/schedules.yaml.')
param schedules bool = false

@description('Hosts that events may be posted to, separated by commas; none if empty.')
param webhookHosts string = ''

@description('What events to webhooks are signed with: whsec_ and base64.')
@secure()
param webhookSecret string = ''

@description('An image of the worker that exists. Empty with azd, which builds one and deploys worker.bicep after this.')
param workerImage string = ''

var suffix = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
// a replica that could use more than the pool has would never get it
var sessions = min(sessionsPerReplica, poolSessions)

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  name: 'identities'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
  }
}

module messaging 'modules/messaging.bicep' = {
  name: 'messaging'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    queueName: queueName
    workspaceId: monitoring.outputs.workspaceId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    resultsRetentionDays: resultsRetentionDays
  }
}

module pool 'modules/pool.bicep' = {
  name: 'pool'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    poolSessions: poolSessions
    cooldownSeconds: cooldownSeconds
    egress: egress
  }
}

module hosting 'modules/hosting.bicep' = {
  name: 'hosting'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    workspaceId: monitoring.outputs.workspaceId
  }
}

module access 'modules/access.bicep' = {
  name: 'access'
  scope: group
  params: {
    namespaceName: messaging.outputs.namespaceName
    queueName: messaging.outputs.queueName
    accountName: storage.outputs.accountName
    poolName: pool.outputs.poolName
    registryName: hosting.outputs.registryName
    workerId: identities.outputs.workerPrincipalId
    platformId: identities.outputs.platformPrincipalId
    schedulerId: identities.outputs.schedulerPrincipalId
    submitterId: identities.outputs.submitterPrincipalId
    readerId: identities.outputs.readerPrincipalId
    submitterPrincipalId: submitterPrincipalId
    readerPrincipalId: readerPrincipalId
  }
}

module uploads 'modules/uploads.bicep' = if (incoming) {
  name: 'uploads'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    accountName: storage.outputs.accountName
    namespaceName: messaging.outputs.namespaceName
    queueName: messaging.outputs.queueName
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: suffix
    workspaceId: monitoring.outputs.workspaceId
    namespaceId: messaging.outputs.namespaceId
    queueName: queueName
    alertEmail: alertEmail
  }
}

module worker 'worker.bicep' = if (!empty(workerImage)) {
  name: 'worker'
  scope: group
  dependsOn: [access]
  params: {
    location: location
    environmentName: environmentName
    workerAppName: 'worker-${suffix}'
    workerImage: workerImage
    workerIdentityName: identities.outputs.workerName
    platformIdentityName: identities.outputs.platformName
    schedulerIdentityName: identities.outputs.schedulerName
    registryEndpoint: hosting.outputs.registryEndpoint
    containerEnvironmentName: hosting.outputs.environmentName
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    namespaceName: messaging.outputs.namespaceName
    queueName: queueName
    storageUrl: storage.outputs.url
    poolEndpoint: pool.outputs.endpoint
    poolSessions: poolSessions
    sessionsPerReplica: sessions
    cooldownSeconds: cooldownSeconds
    incoming: incoming
    schedules: schedules
    webhookHosts: webhookHosts
    webhookSecret: webhookSecret
  }
}

// azd keeps these in its environment, and worker.bicepparam reads them there. A client needs the first three
// that begin with JSWORKER_, and JSWORKER_QUEUE.
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = hosting.outputs.registryEndpoint
output AZURE_CONTAINER_ENVIRONMENT_NAME string = hosting.outputs.environmentName
output JSWORKER_SERVICEBUS_NAMESPACE string = messaging.outputs.host
output JSWORKER_STORAGE_ACCOUNT_URL string = storage.outputs.url
output JSWORKER_POOL_ENDPOINT string = pool.outputs.endpoint
output JSWORKER_MAX_SESSIONS int = poolSessions
output JSWORKER_SESSIONS_PER_WORKER int = sessions
output JSWORKER_PERMIT_LEASES bool = true // a worker on a desk shares the pool with those here
output JSWORKER_SESSION_COOLDOWN_SECONDS int = cooldownSeconds
output JSWORKER_QUEUE string = messaging.outputs.queueName
output WORKER_APP_NAME string = 'worker-${suffix}'
output WORKER_IDENTITY_NAME string = identities.outputs.workerName
output PLATFORM_IDENTITY_NAME string = identities.outputs.platformName
output SCHEDULER_IDENTITY_NAME string = identities.outputs.schedulerName
output SUBMITTER_IDENTITY_NAME string = identities.outputs.submitterName
output READER_IDENTITY_NAME string = identities.outputs.readerName
output APPLICATION_INSIGHTS_NAME string = monitoring.outputs.applicationInsightsName
output SERVICEBUS_NAMESPACE_NAME string = messaging.outputs.namespaceName
output SESSION_POOL_NAME string = pool.outputs.poolName
