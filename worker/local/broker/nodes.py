"""What an address of a link names: a queue, its dead-letter queue, their `$management`, or `$cbs`."""

from dataclasses import dataclass
from typing import Final, Self

from worker.local.broker.auth import entity_path

CBS: Final = "$cbs"
_MANAGEMENT: Final = "/$management"
_DEAD_LETTERS: Final = "/$deadletterqueue"


@dataclass(frozen=True, slots=True)
class Node:
    """An address taken apart. Names are compared without case, so all is lower case."""

    path: str
    queue: str
    dead_letters: bool
    management: bool

    @classmethod
    def parse(cls, address: str) -> Self:
        """Take an address apart: a path, or a URI with one."""
        path = entity_path(address)
        entity = path.removesuffix(_MANAGEMENT)
        queue = entity.removesuffix(_DEAD_LETTERS)
        return cls(path, queue, dead_letters=queue != entity, management=entity != path)

    @property
    def answers_requests(self) -> bool:
        """Whether messages to it are requests."""
        return self.management or self.path == CBS
