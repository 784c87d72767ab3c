"""The rules of subscriptions as they are declared, and the conditions they stand for."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from worker.local.broker.sql import parse_condition
from worker.local.broker.sql.conditions import Comparison, Condition, Constant, Either, Every, Property

Scalar = str | bool | int | float


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CorrelationSettings(_Strict):
    """Values that the properties of a message must be equal to, all of them, with case."""

    correlation_id: str | None = None
    message_id: str | None = None
    subject: Annotated[str | None, Field(validation_alias=AliasChoices("subject", "label"))] = None
    to: str | None = None
    reply_to: str | None = None
    session_id: str | None = None
    reply_to_session_id: str | None = None
    content_type: str | None = None
    properties: dict[str, Scalar] = {}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(True for _ in self.comparisons()):
            raise ValueError("a correlation filter needs one property at least")
        return self

    def comparisons(self) -> Iterator[Comparison]:
        """Yield what must hold."""
        for name, value in self:
            if isinstance(value, str):
                yield Comparison(Property(name.replace("_", ""), system=True), "=", Constant(value))
        for name, scalar in self.properties.items():
            yield Comparison(Property(name.lower()), "=", Constant(scalar))


class FilterSettings(_Strict):
    """One of four kinds of filter."""

    sql: str | None = None
    correlation: CorrelationSettings | None = None
    true: Literal[True] | None = None
    false: Literal[True] | None = None

    @field_validator("sql")
    @classmethod
    def _is_right(cls, sql: str | None) -> str | None:
        if sql is not None:
            parse_condition(sql)
        return sql

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len([value for _, value in self if value is not None]) != 1:
            raise ValueError("a filter is one of sql, correlation, true and false")
        return self

    def condition(self) -> Condition:
        """Return the condition it stands for."""
        if self.sql is not None:
            return parse_condition(self.sql)
        if self.correlation is not None:
            return Every(tuple(self.correlation.comparisons()))
        return Every(()) if self.true else Either(())


class RuleSettings(_Strict):
    """One rule: messages for which its filter holds come into the subscription."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,48}[A-Za-z0-9])?$")]
    filter: FilterSettings


def matching(rules: tuple[RuleSettings, ...]) -> Condition:
    """Return the condition of a subscription with these rules: that one of them holds."""
    return Either(tuple(rule.filter.condition() for rule in rules))


DEFAULT_RULE = RuleSettings(name="Default", filter=FilterSettings(sql="1=1"))
