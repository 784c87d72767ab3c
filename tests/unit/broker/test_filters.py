"""What filters say of messages, and which are refused."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.local.broker.properties import Properties
from worker.local.broker.rules import FilterSettings, RuleSettings, matching
from worker.local.broker.sql import FilterError, parse_condition
from worker.local.broker.sql.pattern import Pattern

MESSAGE = Properties(
    system={"messageid": "m-1", "label": "ordered", "subject": "ordered", "to": "shop"},
    user={
        "colour": "red",
        "count": 3,
        "price": 2.5,
        "paid": True,
        "none": None,
        "with space": "it's",
        "a]b": 1,
        "grösse": 7,
        "raw": b"bytes",
        "text number": "3",
    },
)


def holds(text: str) -> bool | None:
    return parse_condition(text).holds(MESSAGE)


@pytest.mark.parametrize(
    "text",
    [
        "1=1",
        "colour = 'red'",
        "COLOUR = 'red'",
        "user.colour = 'red' AND USER.count = 3",
        "'red' = colour",
        "count > 2 and count >= 3 and count < 3.5 and count <= 3",
        "price = 2.5 AND price <> 25e-2 AND price != 0.25E1 OR price = 25.E-1",
        "count > -4 AND count > - 4 AND count < +4 AND .5 < count",
        "paid = TRUE AND paid <> false",
        "sys.Label = 'ordered' AND sys.Subject = 'ordered' AND sys.To IN ('home', 'shop')",
        "SYS.MessageId LIKE 'm-%'",
        "[with space] = 'it''s'",
        "\"with space\" = 'it''s'",
        "user.[a]]b] = 1",
        "grösse=7",
        "colour NOT IN ('green', 'blue') AND count IN (1, 2, 3)",
        "colour LIKE 'r_d' AND colour LIKE '%e%' AND colour NOT LIKE 'R%'",
        "missing IS NULL AND none IS NULL AND colour IS NOT NULL AND sys.ReplyTo is null",
        "EXISTS(none) AND NOT EXISTS(missing) AND EXISTS(sys.To) AND NOT EXISTS ( sys.SessionId )",
        "NOT (colour = 'green' OR count = 4)",
        "count = 4 OR colour = 'red' AND paid = TRUE",
        "(count) = (3) AND ((count = 3))",
        "NOT NOT NOT colour = 'green'",
        "raw IS NOT NULL AND EXISTS(raw)",
    ],
)
def test_a_filter_lets_a_message_in(text: str) -> None:
    assert holds(text) is True


@pytest.mark.parametrize(
    "text",
    [
        "1 = 0",
        "colour = 'Red'",
        "count = 4",
        "colour LIKE 'r'",
        "colour LIKE '_'",
        "sys.Label IN ('a', 'b')",
        "(count = 4 OR colour = 'red') AND paid = FALSE",
        "missing = 1 AND 1 = 0",
    ],
)
def test_a_filter_keeps_a_message_out(text: str) -> None:
    assert holds(text) is False


@pytest.mark.parametrize(
    "text",
    [
        "missing = 1",
        "missing <> 1",
        "NOT missing = 1",
        "none = NULL",
        "missing IN (1, 2)",
        "colour IN ('green', missing)",
        "missing NOT IN (1, 2)",
        "missing LIKE '%'",
        "missing NOT LIKE '%'",
        "count LIKE '%'",
        "sys.SessionId = 'x'",
        "[text number] = 3",
        "paid = 1",
        "paid < TRUE",
        "count = TRUE",
        "raw = 'bytes'",
        "missing = 1 OR 1 = 0",
        "missing = 1 AND 1 = 1",
    ],
)
def test_what_is_missing_or_not_alike_is_unknown_and_keeps_a_message_out(text: str) -> None:
    assert holds(text) is None
    assert matching((RuleSettings(name="r", filter=FilterSettings(sql=text)),)).holds(MESSAGE) is None


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("", 1, "expected a property or a value, not the end"),
        ("colour", 1, "a value alone is no condition"),
        ("a = 1 AND colour", 11, "a value alone is no condition"),
        ("NOT 5", 5, "a value alone is no condition"),
        ("a = ", 5, "not the end"),
        ("a == 1", 4, "not '='"),
        ("a = 1 = 1", 7, "expected the end, AND or OR, not '='"),
        ("a = 1 b = 2", 7, "not 'b'"),
        ("a = (b = 1)", 5, "a value is needed here"),
        ("a = 'open", 5, "the text that begins here has no end"),
        ("[open = 1", 1, "the name that begins here has no end"),
        ("a = #", 5, "'#' is not expected"),
        ("a + 1 = 2", 3, r"expected a comparison, not '\+'"),
        ("a = -'x'", 6, "expected a number"),
        ("select = and", 10, "not 'and'"),
        ("sys.Colour = 1", 5, "there is no system property 'Colour'"),
        ("other.x = 1", 1, "the scope of a property is sys or user"),
        ("a IN 1", 6, r"expected '\('"),
        ("a IN ()", 7, r"not '\)'"),
        ("a IN (1", 8, r"expected '\)', not the end"),
        ("a NOT 1", 7, "expected IN or LIKE"),
        ("a IS 1", 6, "expected NULL"),
        ("1 IS NULL", 1, "asks about a property"),
        ("EXISTS 1", 8, r"expected '\('"),
        ("EXISTS('a')", 8, "expected a property"),
        ("a LIKE b", 8, "expected a pattern in quotes"),
        ("a LIKE 'x' ESCAPE 'ab'", 19, "must be one character"),
        (r"a LIKE 'x\' ESCAPE '\'", 8, "nothing follows the escape character"),
        ("a = 9223372036854775808", 5, "too large"),
        ("a = 1e999", 5, "too large"),
        ("a = 1)", 6, r"not '\)'"),
        ("(" * 33 + "a = 1" + ")" * 33, 33, "nested more than 32 deep"),
        ("NOT " * 33 + "a = 1", 133, "nested more than 32 deep"),
        ("a = 1" + " " * 1020, 1025, "at most 1024 characters"),
    ],
)
def test_a_wrong_filter_is_refused_with_the_position(text: str, position: int, problem: str) -> None:
    with pytest.raises(FilterError, match=problem) as refusal:
        parse_condition(text)
    assert refusal.value.position == position


def correlation(**fields: Any) -> bool | None:  # noqa: ANN401 - what JSON has
    return FilterSettings.model_validate({"correlation": fields}).condition().holds(MESSAGE)


def test_a_correlation_filter_needs_all_to_be_equal() -> None:
    assert correlation(message_id="m-1", label="ordered", to="shop", properties={"Colour": "red", "count": 3})
    assert not correlation(message_id="m-1", subject="Ordered")
    assert not correlation(message_id="m-1", session_id="s")
    assert not correlation(properties={"colour": "red", "missing": 1})
    assert not correlation(properties={"paid": 1})
    assert correlation(properties={"paid": True, "price": 2.5})


def test_one_rule_that_holds_is_enough() -> None:
    never = RuleSettings(name="never", filter=FilterSettings(false=True))
    always = RuleSettings(name="always", filter=FilterSettings(true=True))
    assert matching((never, always)).holds(MESSAGE) is True
    assert matching((never,)).holds(MESSAGE) is False


SIGNS = ["(", ")", ",", ".", "=", "<>", "!=", "<", "<=", ">", ">=", "+", "-"]
WORDS = ["AND", "OR", "NOT", "IN", "LIKE", "ESCAPE", "IS", "NULL", "EXISTS", "TRUE", "FALSE", "sys", "user"]
VALUES = ["Label", "colour", "count", "missing", "[with space]", "'red'", "'%'", "3", "2.5", "1e3", "'"]
TOKENS = st.sampled_from([*SIGNS, *WORDS, *VALUES])


@given(st.lists(TOKENS, max_size=20).map(" ".join) | st.text(max_size=60))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    position = refused_at(text)
    if position is None:
        assert holds(text) in {True, False, None}
    else:
        assert 1 <= position <= len(text) + 1


def refused_at(text: str) -> int | None:
    try:
        parse_condition(text)
    except FilterError as refusal:
        return refusal.position
    return None


ATOMS = st.sampled_from([("1=1", True), ("1=0", False), ("missing=1", None)])
Said = tuple[str, bool | None]


def joined(parts: st.SearchStrategy[Said]) -> st.SearchStrategy[Said]:
    return st.one_of(
        parts.map(lambda part: (f"NOT ({part[0]})", None if part[1] is None else not part[1])),
        st.tuples(parts, parts).map(lambda two: (f"({two[0][0]}) AND ({two[1][0]})", least(two))),
        st.tuples(parts, parts).map(lambda two: (f"({two[0][0]}) OR ({two[1][0]})", most(two))),
    )


def ranked(choose: Callable[..., int]) -> Callable[[tuple[Said, Said]], bool | None]:
    ranks = [False, None, True]
    return lambda two: ranks[choose(ranks.index(two[0][1]), ranks.index(two[1][1]))]


least, most = ranked(min), ranked(max)


@given(st.recursive(ATOMS, joined, max_leaves=12))
def test_logic_has_three_values(said: Said) -> None:
    text, expected = said
    assert holds(text) is expected


@given(st.text("ab%_\\", max_size=8), st.text("ab%_", max_size=10))
def test_a_pattern_matches_as_its_regular_expression_does(pattern: str, text: str) -> None:
    try:
        parsed = Pattern.parse(pattern, "\\")
    except ValueError:
        assert len(re.findall(r"\\+$", pattern)[0]) % 2
        return
    kinds = {"%": ".*", "_": "."}
    pieces = re.findall(r"\\.|.", pattern)
    expression = "".join(kinds.get(piece) or re.escape(piece[-1]) for piece in pieces)
    assert parsed.matches(text) is (re.fullmatch(expression, text) is not None)


def test_a_pattern_of_many_wildcards_ends_soon() -> None:
    assert not Pattern.parse("%a" * 200 + "b").matches("a" * 20_000)
