"""Conditions on messages: the SQL of Service Bus rules, parsed and evaluated. Pure: no I/O, no clock."""

from worker.local.broker.sql.parser import parse_condition
from worker.local.broker.sql.tokens import FilterError

__all__ = ["FilterError", "parse_condition"]
