"""jsworker: queue-driven batch execution of JavaScript in sandboxed sessions."""

__version__ = "0.1.0"
