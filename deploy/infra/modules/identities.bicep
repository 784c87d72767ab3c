// Who does what: one identity for each, so that each has only the roles it needs (see access.bicep).
param location string
param tags object
param suffix string

resource worker 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-worker-${suffix}'
  location: location
  tags: tags
}

@description('Of Container Apps itself: pulls the image and reads how long the queues are. No container can use it.')
resource platform 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-platform-${suffix}'
  location: location
  tags: tags
}

resource scheduler 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-scheduler-${suffix}'
  location: location
  tags: tags
}

@description('For programs that submit jobs and watch them; people are given the same roles by submitterPrincipalId.')
resource submitter 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-submitter-${suffix}'
  location: location
  tags: tags
}

@description('For programs that only read results.')
resource reader 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-reader-${suffix}'
  location: location
  tags: tags
}

output workerName string = worker.name
output workerPrincipalId string = worker.properties.principalId
output platformName string = platform.name
output platformPrincipalId string = platform.properties.principalId
output schedulerName string = scheduler.name
output schedulerPrincipalId string = scheduler.properties.principalId
output submitterName string = submitter.name
output submitterPrincipalId string = submitter.properties.principalId
output readerName string = reader.name
output readerPrincipalId string = reader.properties.principalId
