"""Events as one line of JSON each on stderr. No code, no output, no token, no whole identifier."""

import json
import logging
import sys
from datetime import UTC, datetime

logger = logging.getLogger("jsworker.pool")


class JsonLine(logging.Formatter):
    """A record as a JSON object; its message is the event's name."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
        }
        line |= {"role": "pool", "event": record.getMessage()} | getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure() -> None:
    """Send the pool's events, and warnings of the libraries, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logger.setLevel(logging.INFO)


def event(level: int, name: str, **fields: object) -> None:
    """Log a past-tense fact with its fields."""
    logger.log(level, name, extra={"fields": fields})
