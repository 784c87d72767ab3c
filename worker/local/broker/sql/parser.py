"""The grammar of filters, by recursive descent.

    condition = conjunction {OR conjunction}
    conjunction = negation {AND negation}
    negation = NOT negation | test
    test = EXISTS "(" property ")" | operand [predicate]
    operand = "(" condition ")" | text | [sign] number | TRUE | FALSE | NULL | property
    predicate = comparison operand | IS [NOT] NULL | [NOT] IN "(" operand {"," operand} ")"
              | [NOT] LIKE text [ESCAPE text]

Parentheses stand around values as well as conditions, so that the rules return either and say at the end
which they need.
"""

from typing import Final

from worker.local.broker.properties import SYSTEM_PROPERTIES
from worker.local.broker.sql.conditions import (
    COMPARISONS,
    Comparison,
    Condition,
    Constant,
    Either,
    Every,
    Exists,
    IsNull,
    Likeness,
    Membership,
    Not,
    Operand,
    Property,
)
from worker.local.broker.sql.cursor import Cursor
from worker.local.broker.sql.pattern import Pattern
from worker.local.broker.sql.tokens import FilterError, Kind, Token

_DEEPEST: Final = 32
_CONSTANTS: Final[dict[str, bool | None]] = {"TRUE": True, "FALSE": False, "NULL": None}
_KEYWORDS: Final = frozenset({"AND", "OR", "NOT", "IN", "LIKE", "ESCAPE", "IS", "EXISTS", *_CONSTANTS})

Expression = Condition | Operand


def parse_condition(text: str) -> Condition:
    """Return what a filter says.

    Raises:
        FilterError: it is no filter; the text says where.
    """
    parser = _Parser(text)
    condition = parser.condition()
    parser.expect_end()
    return condition


class _Parser:
    def __init__(self, text: str) -> None:
        self._cursor = Cursor(text)
        self._depth = 0

    def condition(self) -> Condition:
        start = self._cursor.next
        return _condition(self._disjunction(), start)

    def expect_end(self) -> None:
        if self._cursor.next.kind is not Kind.END:
            raise self._cursor.unexpected("the end, AND or OR")

    def _disjunction(self) -> Expression:
        start = self._cursor.next
        first = self._conjunction()
        if not self._cursor.next.is_word("OR"):
            return first
        conditions = [_condition(first, start)]
        while self._cursor.take_word("OR"):
            start = self._cursor.next
            conditions.append(_condition(self._conjunction(), start))
        return Either(tuple(conditions))

    def _conjunction(self) -> Expression:
        start = self._cursor.next
        first = self._negation()
        if not self._cursor.next.is_word("AND"):
            return first
        conditions = [_condition(first, start)]
        while self._cursor.take_word("AND"):
            start = self._cursor.next
            conditions.append(_condition(self._negation(), start))
        return Every(tuple(conditions))

    def _negation(self) -> Expression:
        if not self._cursor.take_word("NOT"):
            return self._test()
        self._descend()
        start = self._cursor.next
        negated = Not(_condition(self._negation(), start))
        self._depth -= 1
        return negated

    def _test(self) -> Expression:
        if self._cursor.take_word("EXISTS"):
            self._cursor.expect_sign("(")
            asked_for = self._property()
            self._cursor.expect_sign(")")
            return Exists(asked_for)
        start = self._cursor.next
        subject = self._operand_or_condition()
        if self._begins_predicate():
            return self._predicate(subject, start)
        if isinstance(subject, Operand) and not self._ends_condition():
            raise self._cursor.unexpected("a comparison")
        return subject

    def _ends_condition(self) -> bool:
        token = self._cursor.next
        return token.kind is Kind.END or token.is_sign(")") or token.is_word("AND") or token.is_word("OR")

    def _begins_predicate(self) -> bool:
        token = self._cursor.next
        return token.is_sign(*COMPARISONS) or any(map(token.is_word, ("IS", "NOT", "IN", "LIKE")))

    def _predicate(self, subject: Expression, start: Token) -> Condition:
        operand = _operand(subject, start)
        if self._cursor.next.kind is Kind.SIGN:
            return Comparison(operand, self._cursor.take().value, self._operand())
        if self._cursor.take_word("IS"):
            return self._null_test(operand, start)
        negated = self._cursor.take_word("NOT")
        if self._cursor.take_word("IN"):
            condition: Condition = Membership(operand, self._choices())
        elif self._cursor.take_word("LIKE"):
            condition = Likeness(operand, self._pattern())
        else:
            raise self._cursor.unexpected("IN or LIKE")
        return Not(condition) if negated else condition

    def _null_test(self, operand: Operand, start: Token) -> Condition:
        negated = self._cursor.take_word("NOT")
        if not self._cursor.take_word("NULL"):
            raise self._cursor.unexpected("NULL")
        if not isinstance(operand, Property):
            raise FilterError(start.position, "IS NULL asks about a property")
        return Not(IsNull(operand)) if negated else IsNull(operand)

    def _choices(self) -> tuple[Operand, ...]:
        self._cursor.expect_sign("(")
        choices = [self._operand()]
        while self._cursor.take_sign(","):
            choices.append(self._operand())
        self._cursor.expect_sign(")")
        return tuple(choices)

    def _pattern(self) -> Pattern:
        pattern = self._text("a pattern in quotes")
        if not self._cursor.take_word("ESCAPE"):
            return Pattern.parse(pattern.value)
        escape = self._text("a character in quotes")
        if len(escape.value) != 1:
            raise FilterError(escape.position, "the escape character must be one character")
        try:
            return Pattern.parse(pattern.value, escape.value)
        except ValueError as error:
            raise FilterError(pattern.position, str(error)) from error

    def _text(self, expected: str) -> Token:
        if self._cursor.next.kind is not Kind.TEXT:
            raise self._cursor.unexpected(expected)
        return self._cursor.take()

    def _operand(self) -> Operand:
        start = self._cursor.next
        return _operand(self._operand_or_condition(), start)

    def _operand_or_condition(self) -> Expression:
        token = self._cursor.next
        if token.is_sign("("):
            return self._parenthesis()
        if token.kind is Kind.TEXT:
            return Constant(self._cursor.take().value)
        if token.kind is Kind.NUMBER or token.is_sign("-", "+"):
            return self._number()
        if token.kind is Kind.WORD and token.value.upper() in _CONSTANTS:
            return Constant(_CONSTANTS[self._cursor.take().value.upper()])
        return self._property()

    def _parenthesis(self) -> Expression:
        self._descend()
        self._cursor.take()
        inner = self._disjunction()
        self._cursor.expect_sign(")")
        self._depth -= 1
        return inner

    def _number(self) -> Constant:
        negative = self._cursor.next.is_sign("-")
        if self._cursor.next.kind is Kind.SIGN:
            self._cursor.take()
        if self._cursor.next.kind is not Kind.NUMBER:
            raise self._cursor.unexpected("a number")
        return Constant(self._cursor.take().number(negative=negative))

    def _property(self) -> Property:
        first = self._name()
        if not self._cursor.take_sign("."):
            return Property(first.value.lower())
        if first.value.lower() not in {"sys", "user"}:
            raise FilterError(first.position, f"the scope of a property is sys or user, not {first}")
        name = self._name()
        system = first.value.lower() == "sys"
        if system and name.value.lower() not in SYSTEM_PROPERTIES:
            raise FilterError(name.position, f"there is no system property {name}")
        return Property(name.value.lower(), system)

    def _name(self) -> Token:
        token = self._cursor.next
        reserved = token.kind is Kind.WORD and token.value.upper() in _KEYWORDS
        if reserved or token.kind not in {Kind.WORD, Kind.NAME}:
            raise self._cursor.unexpected("a property or a value")
        return self._cursor.take()

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FilterError(self._cursor.next.position, f"this is nested more than {_DEEPEST} deep")


def _condition(expression: Expression, start: Token) -> Condition:
    if isinstance(expression, Operand):
        raise FilterError(start.position, "a value alone is no condition: compare it with something")
    return expression


def _operand(expression: Expression, start: Token) -> Operand:
    if not isinstance(expression, Operand):
        raise FilterError(start.position, "a value is needed here, not a condition")
    return expression
