// The session pool. It needs no environment: sessions of this type run in one of the platform's own.
param location string
param tags object
param suffix string
param poolSessions int
param cooldownSeconds int

@allowed(['EgressDisabled', 'EgressEnabled'])
param egress string

resource pool 'Microsoft.App/sessionPools@2025-07-01' = {
  name: 'pool-${suffix}'
  location: location
  tags: tags
  properties: {
    poolManagementType: 'Dynamic'
    containerType: 'NodeLTS'
    scaleConfiguration: {
      maxConcurrentSessions: poolSessions
    }
    dynamicPoolConfiguration: {
      lifecycleConfiguration: {
        lifecycleType: 'Timed'
        cooldownPeriodInSeconds: cooldownSeconds
      }
    }
    sessionNetworkConfiguration: {
      status: egress
    }
  }
}

output poolName string = pool.name
output endpoint string = pool.properties.poolManagementEndpoint
