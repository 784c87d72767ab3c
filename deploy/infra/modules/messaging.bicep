// The queues. What the worker asks of them is in docs/deploying.md; their numbers belong to its settings.
param location string
param tags object
param suffix string
param queueName string
param workspaceId string

var queues = [
  {
    name: queueName
    timeToLive: 'P14D' // what waits longer becomes a dead letter, and that a result that says so
  }
  {
    name: 'webhooks'
    timeToLive: 'P2D' // all attempts of a webhook take about five hours
  }
]

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: 'sb-${suffix}'
  location: location
  tags: tags
  sku: {
    name: 'Standard' // Basic has no topics, no duplicate detection and no scheduled messages
    tier: 'Standard'
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

resource queue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [
  for one in queues: {
    parent: namespace
    name: one.name
    properties: {
      lockDuration: 'PT1M'
      maxDeliveryCount: 20
      defaultMessageTimeToLive: one.timeToLive
      deadLetteringOnMessageExpiration: true
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: 'PT30M' // longer than a scheduler looks ahead
      requiresSession: false
      enablePartitioning: false // a partitioned queue has no order that could be looked ahead in
      maxSizeInMegabytes: 5120
    }
  }
]

@description('Of the ends of jobs that ask for it: "reply_to": [{"topic": "events"}].')
resource events 'Microsoft.ServiceBus/namespaces/topics@2024-01-01' = {
  parent: namespace
  name: 'events'
  properties: {
    defaultMessageTimeToLive: 'P7D'
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'PT30M'
    enablePartitioning: false
    maxSizeInMegabytes: 1024
  }
}

resource all 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2024-01-01' = {
  parent: events
  name: 'all'
  properties: {
    lockDuration: 'PT1M'
    maxDeliveryCount: 20
    defaultMessageTimeToLive: 'P7D'
    deadLetteringOnMessageExpiration: false // an event that nobody reads is nobody's loss
    requiresSession: false
  }
}

@description('For the alert that looks at messages while no worker is there to tell of them.')
resource metrics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: namespace
  name: 'metrics'
  properties: {
    workspaceId: workspaceId
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

output namespaceId string = namespace.id
output namespaceName string = namespace.name
output host string = '${namespace.name}.servicebus.windows.net'
output queueName string = queue[0].name
