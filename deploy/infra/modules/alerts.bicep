// What calls somebody. The queries look at the metrics that the workers send; docs/operating.md has an entry for
// each. In a table AppMetrics a metric of which there are none is no row, so that a fleet at rest alerts nobody.
param location string
param tags object
param suffix string
param workspaceId string
param namespaceId string
param queueName string
param alertEmail string

var rules = [
  {
    name: 'oldest-message'
    description: 'A message has waited in a queue for more than half an hour.'
    severity: 2
    window: 'PT15M'
    query: '''
AppMetrics
| where Name == 'jsworker.queue.oldest.age'
| summarize seconds = max(Sum / ItemCount) by queue = tostring(Properties.queue)
| where seconds > 1800
'''
  }
  {
    name: 'no-progress'
    description: 'Messages wait, workers are there, and no job has ended for a quarter of an hour.'
    severity: 1
    window: 'PT15M'
    query: '''
AppMetrics
| where Name in ('jsworker.queue.oldest.age', 'jsworker.jobs')
| summarize waited = maxif(Sum / ItemCount, Name == 'jsworker.queue.oldest.age'), ended = sumif(Sum, Name == 'jsworker.jobs')
| where waited > 900 and ended == 0
'''
  }
  {
    name: 'no-worker'
    description: 'Messages were sent half an hour ago, and no worker has said since that it is there.'
    severity: 1
    window: 'PT1H' // how many messages wait is not exported to logs; how many come is
    query: '''
AzureMetrics
| where ResourceProvider == 'MICROSOFT.SERVICEBUS' and MetricName == 'IncomingMessages' and Total > 0
| where TimeGenerated < ago(30m)
| summarize sent = max(TimeGenerated)
| where isnotnull(sent)
| extend heard = toscalar(AppMetrics | where Name == 'jsworker.ready' | summarize max(TimeGenerated))
| where isnull(heard) or heard < sent
'''
  }
  {
    name: 'infrastructure-failures'
    description: 'Jobs were given up since the platform failed them. `jsworker retry` runs them again.'
    severity: 2
    window: 'PT15M'
    query: '''
AppMetrics
| where Name == 'jsworker.jobs' and tostring(Properties.status) == 'infrastructure_failed'
| summarize jobs = sum(Sum)
| where jobs > 0
'''
  }
  {
    name: 'pool-full'
    description: 'Jobs have waited for sessions for three quarters of an hour: somebody else uses the pool, or sessions are not deleted.'
    severity: 3
    window: 'PT45M'
    query: '''
AppMetrics
| where Name == 'jsworker.capacity.waits' and tostring(Properties.resource) == 'pool'
| summarize waits = sum(Sum) by quarter = bin_at(TimeGenerated, 15m, now())
| where waits > 0
| summarize quarters = count()
| where quarters >= 3
'''
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: 'jsworker-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'jsworker'
    emailReceivers: [
      {
        name: 'operator'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

resource deadLetters 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'dead-letters'
  location: 'global'
  tags: tags
  properties: {
    description: 'A queue has dead letters; one alert for each queue. `jsworker deadletters list` shows why.'
    severity: 2
    enabled: true
    scopes: [namespaceId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'dead-letters'
          metricNamespace: 'Microsoft.ServiceBus/namespaces'
          metricName: 'DeadletteredMessages'
          timeAggregation: 'Maximum'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [
            {
              name: 'EntityName'
              operator: 'Include'
              values: [queueName, 'webhooks']
            }
          ]
        }
      ]
    }
    actions: empty(alertEmail) ? [] : [{ actionGroupId: people.id }]
  }
}

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: rule.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.name
      description: rule.description
      severity: rule.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: 'PT15M'
      windowSize: rule.window
      autoMitigate: true
      skipQueryValidation: true // the tables are there only when the first rows are
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { // several would need a column of times in what a query finds
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: empty(alertEmail) ? [] : [people.id]
      }
    }
  }
]
