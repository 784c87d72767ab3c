"""A loopback message broker that speaks AMQP 1.0 in the dialect of Azure Service Bus."""

from worker.local.broker.config import BrokerConfig, QueueSettings, TopicSettings
from worker.local.broker.server import Broker

__all__ = ["Broker", "BrokerConfig", "QueueSettings", "TopicSettings"]
