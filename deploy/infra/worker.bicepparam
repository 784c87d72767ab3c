using './worker.bicep'

// Set by `azd provision` from the outputs of main.bicep.
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param workerAppName = readEnvironmentVariable('WORKER_APP_NAME')
param workerIdentityName = readEnvironmentVariable('WORKER_IDENTITY_NAME')
param platformIdentityName = readEnvironmentVariable('PLATFORM_IDENTITY_NAME')
param schedulerIdentityName = readEnvironmentVariable('SCHEDULER_IDENTITY_NAME')
param registryEndpoint = readEnvironmentVariable('AZURE_CONTAINER_REGISTRY_ENDPOINT')
param containerEnvironmentName = readEnvironmentVariable('AZURE_CONTAINER_ENVIRONMENT_NAME')
param applicationInsightsName = readEnvironmentVariable('APPLICATION_INSIGHTS_NAME')
param namespaceName = readEnvironmentVariable('SERVICEBUS_NAMESPACE_NAME')
param queueName = readEnvironmentVariable('JSWORKER_QUEUE')
param storageUrl = readEnvironmentVariable('JSWORKER_STORAGE_ACCOUNT_URL')
param poolEndpoint = readEnvironmentVariable('JSWORKER_POOL_ENDPOINT')
param poolSessions = int(readEnvironmentVariable('JSWORKER_MAX_SESSIONS'))
param sessionsPerReplica = int(readEnvironmentVariable('JSWORKER_SESSIONS_PER_WORKER'))
param cooldownSeconds = int(readEnvironmentVariable('JSWORKER_SESSION_COOLDOWN_SECONDS'))

// Set by `azd deploy`.
param workerImage = readEnvironmentVariable('SERVICE_WORKER_IMAGE_NAME')

// As for main.bicep.
param incoming = bool(readEnvironmentVariable('INCOMING', 'false'))
param schedules = bool(readEnvironmentVariable('SCHEDULES', 'false'))
param webhookHosts = readEnvironmentVariable('WEBHOOK_HOSTS', '')
param webhookSecret = readEnvironmentVariable('WEBHOOK_SECRET', '')
