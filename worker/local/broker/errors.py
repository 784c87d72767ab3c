"""Errors as AMQP tells them to the peer: a condition, which clients act on, and words for people."""

from typing import Final

DECODE_ERROR: Final = "amqp:decode-error"
FRAMING_ERROR: Final = "amqp:connection:framing-error"
ILLEGAL_STATE: Final = "amqp:illegal-state"
INTERNAL_ERROR: Final = "amqp:internal-error"
INVALID_FIELD: Final = "amqp:invalid-field"
NOT_ALLOWED: Final = "amqp:not-allowed"
NOT_FOUND: Final = "amqp:not-found"
NOT_IMPLEMENTED: Final = "amqp:not-implemented"
UNAUTHORIZED: Final = "amqp:unauthorized-access"
MESSAGE_SIZE_EXCEEDED: Final = "amqp:link:message-size-exceeded"
ARGUMENT_ERROR: Final = "com.microsoft:argument-error"
MESSAGE_LOCK_LOST: Final = "com.microsoft:message-lock-lost"
MESSAGE_NOT_FOUND: Final = "com.microsoft:message-not-found"
SERVER_BUSY: Final = "com.microsoft:server-busy"
ENTITY_DISABLED: Final = "com.microsoft:entity-disabled"
DEAD_LETTER: Final = "com.microsoft:dead-letter"

LOCK_LOST_TEXT: Final = (
    "The lock supplied is invalid. Either the lock expired, or the message has already been settled."
)
NO_SESSION_TEXT: Final = (
    "It is not possible for an entity that requires sessions to create a non-sessionful message receiver."
)
SERVER_BUSY_TEXT: Final = (
    "The request was terminated because the entity is being throttled. Error code: 50009. "
    "Please wait 2 seconds and try again."
)


class AmqpError(Exception):
    """Something the peer did or asked for that ends in an AMQP error of this condition."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(condition, description)
        self.condition = condition
        self.description = description
