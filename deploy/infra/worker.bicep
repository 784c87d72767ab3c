// The worker, and the job that keeps its queue supplied with scheduled runs. `azd deploy` deploys this with the
// image it has just built; by hand it is
//   az deployment group create --resource-group GROUP --template-file worker.bicep --parameters worker.bicepparam
param location string = resourceGroup().location
param environmentName string
param workerAppName string
param workerImage string
param workerIdentityName string
param platformIdentityName string
param schedulerIdentityName string
param registryEndpoint string
param containerEnvironmentName string
param applicationInsightsName string
param namespaceName string
param queueName string
param storageUrl string
param poolEndpoint string

@minValue(1)
@maxValue(600)
param poolSessions int

@minValue(1)
@maxValue(600)
param sessionsPerReplica int
param cooldownSeconds int
param incoming bool
param schedules bool
param webhookHosts string

@secure()
param webhookSecret string

param routesFile string = loadTextContent('config/routes.yaml')
param schedulesFile string = loadTextContent('config/schedules.yaml')

var tags = { 'azd-env-name': environmentName }
var replicas = poolSessions / sessionsPerReplica
var shutdownGraceSeconds = 240 // the longest program may end: a replica that is not needed cuts none short
var folder = '/etc/jsworker'
var horizonSeconds = 900 // runs are put into the queue so far ahead, three times as far as from one look to the next
var hasWebhooks = !empty(webhookHosts)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: workerIdentityName
}

resource platform 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: platformIdentityName
}

resource schedulerIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: schedulerIdentityName
}

resource apps 'Microsoft.App/managedEnvironments@2025-07-01' existing = {
  name: containerEnvironmentName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

var services = [
  { name: 'JSWORKER_SERVICEBUS_NAMESPACE', value: '${namespaceName}.servicebus.windows.net' }
  { name: 'JSWORKER_QUEUE', value: queueName }
  { name: 'JSWORKER_STORAGE_ACCOUNT_URL', value: storageUrl }
]
var routing = [
  { name: 'JSWORKER_ROUTES', value: '${folder}/routes.yaml' }
  { name: 'JSWORKER_CODE_CONTAINERS', value: 'submissions,inputs,incoming' }
]
var posting = [
  { name: 'JSWORKER_WEBHOOK_HOSTS', value: webhookHosts }
  { name: 'JSWORKER_WEBHOOK_SECRET', secretRef: 'webhook-secret' }
]
var settings = [
  { name: 'AZURE_CLIENT_ID', value: identity.properties.clientId }
  { name: 'JSWORKER_POOL_ENDPOINT', value: poolEndpoint }
  { name: 'JSWORKER_MAX_SESSIONS', value: string(poolSessions) }
  { name: 'JSWORKER_SESSIONS_PER_WORKER', value: string(sessionsPerReplica) }
  { name: 'JSWORKER_PERMIT_LEASES', value: 'true' } // replicas of an old and a new revision never exceed the pool together
  { name: 'JSWORKER_SESSION_COOLDOWN_SECONDS', value: string(cooldownSeconds) }
  { name: 'JSWORKER_SHUTDOWN_GRACE_SECONDS', value: string(shutdownGraceSeconds) }
  { name: 'JSWORKER_EVENT_DESTINATIONS', value: 'topic:events' }
  { name: 'JSWORKER_AZURE_MONITOR', secretRef: 'application-insights' }
  { name: 'JSWORKER_HEALTH_PORT', value: '8080' }
]
var insightsSecret = { name: 'application-insights', value: insights.properties.ConnectionString }
var routesSecret = { name: 'routes-file', value: routesFile }
var webhooksSecret = { name: 'webhook-secret', value: webhookSecret }
var routesVolume = {
  name: 'configuration'
  storageType: 'Secret'
  secrets: [{ secretRef: 'routes-file', path: 'routes.yaml' }]
}

var jobsRule = {
  name: 'jobs'
  custom: {
    type: 'azure-servicebus'
    identity: platform.id
    metadata: {
      namespace: namespaceName
      queueName: queueName
      messageCount: string(sessionsPerReplica) // a message that is being worked on counts, so this is one session's
    }
  }
}
var webhooksRule = {
  name: 'webhooks'
  custom: {
    type: 'azure-servicebus'
    identity: platform.id
    metadata: {
      namespace: namespaceName
      queueName: 'webhooks'
      messageCount: '1000' // wakes a worker when none is there; one is enough
    }
  }
}

resource app 'Microsoft.App/containerApps@2025-07-01' = {
  name: workerAppName
  location: location
  tags: union(tags, { 'azd-service-name': 'worker' })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
      '${platform.id}': {}
    }
  }
  properties: {
    environmentId: apps.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      identitySettings: [
        { identity: identity.id, lifecycle: 'Main' }
        { identity: platform.id, lifecycle: 'None' } // of no container
      ]
      registries: [
        { server: registryEndpoint, identity: platform.id }
      ]
      secrets: concat([insightsSecret], incoming ? [routesSecret] : [], hasWebhooks ? [webhooksSecret] : [])
    }
    template: {
      terminationGracePeriodSeconds: 300 // the worker's own grace, and its cleaning up after that
      containers: [
        {
          name: 'worker'
          image: workerImage
          args: ['run']
          env: concat(services, settings, incoming ? routing : [], hasWebhooks ? posting : [])
          resources: {
            cpu: 1
            memory: '2Gi'
          }
          probes: [
            {
              type: 'Startup'
              httpGet: { path: '/health/live', port: 8080 }
              periodSeconds: 5
              failureThreshold: 24
            }
            {
              type: 'Liveness'
              httpGet: { path: '/health/live', port: 8080 }
              periodSeconds: 30
              failureThreshold: 3
              timeoutSeconds: 5
            }
            {
              type: 'Readiness'
              httpGet: { path: '/health/ready', port: 8080 }
              periodSeconds: 10
              failureThreshold: 3
              timeoutSeconds: 5
            }
          ]
          volumeMounts: incoming ? [{ volumeName: 'configuration', mountPath: folder }] : []
        }
      ]
      volumes: incoming ? [routesVolume] : []
      scale: {
        minReplicas: 0
        maxReplicas: replicas
        rules: concat([jobsRule], hasWebhooks ? [webhooksRule] : [])
      }
    }
  }
}

resource supply 'Microsoft.App/jobs@2025-07-01' = if (schedules) {
  name: 'scheduler-${uniqueString(resourceGroup().id)}'
  location: location
  tags: tags
  dependsOn: [app] // azd takes the first of the two for the service
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${schedulerIdentity.id}': {}
      '${platform.id}': {}
    }
  }
  properties: {
    environmentId: apps.id
    workloadProfileName: 'Consumption'
    configuration: {
      triggerType: 'Schedule'
      scheduleTriggerConfig: {
        cronExpression: '*/5 * * * *'
        parallelism: 1
        replicaCompletionCount: 1
      }
      replicaTimeout: 240
      replicaRetryLimit: 1
      identitySettings: [
        { identity: schedulerIdentity.id, lifecycle: 'Main' }
        { identity: platform.id, lifecycle: 'None' }
      ]
      registries: [
        { server: registryEndpoint, identity: platform.id }
      ]
      secrets: [{ name: 'schedules-file', value: schedulesFile }]
    }
    template: {
      containers: [
        {
          name: 'scheduler'
          image: workerImage
          args: ['schedule', 'sync', '${folder}/schedules.yaml', '--horizon', string(horizonSeconds)]
          env: concat(services, [{ name: 'AZURE_CLIENT_ID', value: schedulerIdentity.properties.clientId }])
          resources: {
            cpu: json('0.25')
            memory: '0.5Gi'
          }
          volumeMounts: [{ volumeName: 'configuration', mountPath: folder }]
        }
      ]
      volumes: [
        {
          name: 'configuration'
          storageType: 'Secret'
          secrets: [{ secretRef: 'schedules-file', path: 'schedules.yaml' }]
        }
      ]
    }
  }
}
