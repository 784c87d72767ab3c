using './main.bicep'

// Each can be set with `azd env set NAME VALUE` or as an environment variable.
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')
param poolSessions = int(readEnvironmentVariable('POOL_SESSIONS', '20'))
param sessionsPerReplica = int(readEnvironmentVariable('SESSIONS_PER_REPLICA', '10'))
param cooldownSeconds = int(readEnvironmentVariable('COOLDOWN_SECONDS', '300'))
param egress = readEnvironmentVariable('EGRESS', 'EgressDisabled')
param queueName = readEnvironmentVariable('QUEUE_NAME', 'jobs')
param resultsRetentionDays = int(readEnvironmentVariable('RESULTS_RETENTION_DAYS', '90'))
param submitterPrincipalId = readEnvironmentVariable('SUBMITTER_PRINCIPAL_ID', '')
param readerPrincipalId = readEnvironmentVariable('READER_PRINCIPAL_ID', '')
param alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')
param incoming = bool(readEnvironmentVariable('INCOMING', 'false'))
param schedules = bool(readEnvironmentVariable('SCHEDULES', 'false'))
param webhookHosts = readEnvironmentVariable('WEBHOOK_HOSTS', '')
param webhookSecret = readEnvironmentVariable('WEBHOOK_SECRET', '')
param workerImage = readEnvironmentVariable('WORKER_IMAGE', '')
