// Who may do what, and to what: all role assignments but that of Event Grid (uploads.bicep), each at the queue,
// the container, the pool or the registry that it is for.
param namespaceName string
param queueName string
param accountName string
param poolName string
param registryName string
param workerId string
param platformId string
param schedulerId string
param submitterId string
param readerId string
param submitterPrincipalId string
param readerPrincipalId string

var acrPull = '7f951dda-4ed3-4680-a7ca-43fe172d538d' // AcrPull
var blobContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
var blobReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1' // Storage Blob Data Reader
var busOwner = '090c5cfd-751d-490a-894a-3ce6f1109419' // Azure Service Bus Data Owner
var busReceiver = '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0' // Azure Service Bus Data Receiver
var busSender = '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39' // Azure Service Bus Data Sender
var sessionExecutor = '0fb8eba5-a2bb-4abe-b1c1-49dfad359bb0' // Azure ContainerApps Session Executor

// people and groups, of whom only the id is known; identities are told as such, since a new one may not be
// known everywhere yet when it gets its role
var submitters = concat(
  [{ who: submitterId, type: 'ServicePrincipal' }],
  empty(submitterPrincipalId) ? [] : [{ who: submitterPrincipalId }]
)
var readers = concat(
  [{ who: readerId, type: 'ServicePrincipal' }],
  empty(readerPrincipalId) ? [] : [{ who: readerPrincipalId }]
)
var submittersContribute = map(submitters, one => union(one, { role: blobContributor }))

var onJobs = concat(
  [
    { who: workerId, type: 'ServicePrincipal', role: busReceiver }
    { who: workerId, type: 'ServicePrincipal', role: busSender }
    { who: schedulerId, type: 'ServicePrincipal', role: busReceiver } // looks at what is scheduled
    { who: schedulerId, type: 'ServicePrincipal', role: busSender }
    { who: platformId, type: 'ServicePrincipal', role: busOwner } // scaling asks for the length: a management call
  ],
  map(submitters, one => union(one, { role: busSender }))
)
var onWebhooks = [
  { who: workerId, type: 'ServicePrincipal', role: busReceiver }
  { who: workerId, type: 'ServicePrincipal', role: busSender }
  { who: platformId, type: 'ServicePrincipal', role: busOwner }
]
var onEvents = [{ who: workerId, type: 'ServicePrincipal', role: busSender }]
var onSubmissions = concat([{ who: workerId, type: 'ServicePrincipal', role: blobReader }], submittersContribute)
// the worker puts parts of jobs here that a message has no room for
var onInputs = concat([{ who: workerId, type: 'ServicePrincipal', role: blobContributor }], submittersContribute)
var onIncoming = [{ who: workerId, type: 'ServicePrincipal', role: blobReader }]
// submitters write manifests, cancellations and the results of what cannot be used
var onResults = concat(
  [
    { who: workerId, type: 'ServicePrincipal', role: blobContributor }
    { who: schedulerId, type: 'ServicePrincipal', role: blobReader } // which runs have ended
  ],
  submittersContribute,
  map(readers, one => union(one, { role: blobReader }))
)
var onPool = [{ who: workerId, type: 'ServicePrincipal', role: sessionExecutor }]
var onRegistry = [{ who: platformId, type: 'ServicePrincipal', role: acrPull }]

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: namespaceName
}

resource jobs 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  parent: namespace
  name: queueName
}

resource webhooks 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  parent: namespace
  name: 'webhooks'
}

resource events 'Microsoft.ServiceBus/namespaces/topics@2024-01-01' existing = {
  parent: namespace
  name: 'events'
}

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: accountName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' existing = {
  parent: account
  name: 'default'
}

resource submissions 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = {
  parent: blobs
  name: 'submissions'
}

resource inputs 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = {
  parent: blobs
  name: 'inputs'
}

resource incoming 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = {
  parent: blobs
  name: 'incoming'
}

resource results 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = {
  parent: blobs
  name: 'results'
}

resource pool 'Microsoft.App/sessionPools@2025-07-01' existing = {
  name: poolName
}

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource jobsGrant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onJobs: {
    scope: jobs
    name: guid(jobs.id, grant.who, grant.role)
    properties: {
      principalId: grant.who
      principalType: grant.?type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource webhooksGrant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onWebhooks: {
    scope: webhooks
    name: guid(webhooks.id, grant.who, grant.role)
    properties: {
      principalId: grant.who
      principalType: grant.?type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource eventsGrant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onEvents: {
    scope: events
    name: guid(events.id, grant.who, grant.role)
    properties: {
      principalId: grant.who
      principalType: grant.?type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource submissionsGrant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onSubmissions: {
    scope: submissions
    name: guid(submissions.id, grant.who, grant.role)
    properties: {
      principalId: grant.who
      principalType: grant.?type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource inputsGrant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onInputs: {
    scope: inputs
    name: guid(inputs.id, grant.who, grant.role)
    properties: {
      principalId: grant.who
      principalType: grant.?type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource incomingGrant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onIncoming: {
    scope: incoming
    name: guid(incoming.id, grant.who, grant.role)
    properties: {
      principalId: grant.who
      principalType: grant.?type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource resultsGrant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onResults: {
    scope: results
    name: guid(results.id, grant.who, grant.role)
    properties: {
      principalId: grant.who
      principalType: grant.?type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource poolGrant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onPool: {
    scope: pool
    name: guid(pool.id, grant.who, grant.role)
    properties: {
      principalId: grant.who
      principalType: grant.?type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource registryGrant 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onRegistry: {
    scope: registry
    name: guid(registry.id, grant.who, grant.role)
    properties: {
      principalId: grant.who
      principalType: grant.?type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]
