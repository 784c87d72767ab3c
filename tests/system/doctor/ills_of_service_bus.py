"""What can be wrong with Service Bus."""

from tests.system.doctor.ill import Ill, having
from tests.system.doctor.stack import BUS, STORAGE, Hurt

BUS_ILLS = {
    "nothing listens": Ill(
        "service-bus",
        "namespace-host",
        "failed",
        "no connection",
        "firewall",
        Hurt(rewritten={BUS: (r"127\.0\.0\.1:\d+", "127.0.0.1:9")}),
    ),
    "it is no Service Bus": Ill(
        "service-bus",
        "namespace-host",
        "failed",
        "does not answer as Service Bus",
        "name of the namespace",
        Hurt(leading={BUS: STORAGE}),
    ),
    "the key is wrong": Ill(
        "service-bus",
        "queue-receivable",
        "failed",
        "may not be received from",
        "jsworker local env",
        Hurt(rewritten={BUS: (r"SharedAccessKey=[^;]+", "SharedAccessKey=d3Jvbmc=")}),
    ),
    "its port is none": Ill(
        "service-bus",
        "namespace-host",
        "failed",
        "a port there cannot be",
        "sb://HOST:PORT",
        Hurt(rewritten={BUS: (r"127\.0\.0\.1:\d+", "127.0.0.1:99999")}),
    ),
    "the queue is missing": Ill(
        "service-bus", "queue-exists", "failed", "'work'", "Declare the queue 'work'", having(QUEUE="work")
    ),
    "the lock is short": Ill(
        "service-bus", "lock-duration", "failed", "lasts 5 s", "PT1M", having(QUEUE="hasty")
    ),
    "deliveries are few": Ill(
        "service-bus", "delivery-count", "failed", "after 3 deliveries", "to 20", having(QUEUE="impatient")
    ),
    "deliveries are few beside the attempts": Ill(
        "service-bus", "delivery-count", "warning", "after 20 deliveries", "to 39", having(MAX_ATTEMPTS="30")
    ),
    "expired messages are dropped": Ill(
        "service-bus",
        "dead-lettering-on-expiration",
        "warning",
        "no result",
        "to true",
        having(QUEUE="forgetful"),
    ),
    "messages live for a minute": Ill(
        "service-bus", "time-to-live", "failed", "live 60 s", "P14D", having(QUEUE="brief")
    ),
    "duplicates are not detected": Ill(
        "service-bus",
        "duplicate-detection",
        "warning",
        "comes twice",
        "Declare the queue 'repeating'",
        having(QUEUE="repeating"),
    ),
}
