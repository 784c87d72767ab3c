import json
import math
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from worker.case import Compare
from worker.comparing import difference, fault_of, trimmed
from worker.differing import MAX_CHARS
from worker.strict_json import to_bytes

TEXTS = st.text(st.sampled_from("ab1 \t\r\n.-é\u2028\0") | st.characters(exclude_categories=["Cs"]))
BLANKS = st.text(" \t", max_size=3)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
BY_TEXT: list[Compare] = ["exact", "trimmed", "tokens", "numbers", "unordered_lines", "contains"]


def accepts(compare: Compare, expected: str, output: str, tolerance: float | None = None) -> bool:
    return difference(compare, expected, to_bytes(output), tolerance) is None


@pytest.mark.parametrize("compare", BY_TEXT)
@given(text=TEXTS)
def test_a_text_is_what_was_expected_when_it_is_the_same(compare: Compare, text: str) -> None:
    assert accepts(compare, text, text)


@given(JSON)
def test_a_document_is_what_was_expected_however_it_is_written(document: object) -> None:
    compact = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    assert accepts("json", json.dumps(document, indent=2), _reordered(compact))


@pytest.mark.parametrize("compare", BY_TEXT)
@given(expected=TEXTS, output=TEXTS)
def test_a_difference_is_told_in_a_few_characters_and_has_words(
    compare: Compare, expected: str, output: str
) -> None:
    told = difference(compare, expected, to_bytes(output))
    assert told is None or 0 < len(told) <= MAX_CHARS * 2


@given(TEXTS, TEXTS)
def test_exact_takes_the_same_bytes_and_nothing_else(expected: str, output: str) -> None:
    assert accepts("exact", expected, output) == (expected.encode() == output.encode())


@given(st.lists(st.tuples(st.text("ab c"), BLANKS)), LINE_ENDS, BLANKS, st.integers(0, 3))
def test_trimmed_takes_any_line_ends_and_any_space_behind_lines_and_text(
    lines: list[tuple[str, str]], end: str, blanks: str, more: int
) -> None:
    plain = "\n".join(line for line, _ in lines)
    decorated = "".join(line + space + end for line, space in lines) + blanks + end * more
    assert accepts("trimmed", plain, decorated)
    assert trimmed(trimmed(decorated)) == trimmed(decorated)


@pytest.mark.parametrize(
    ("expected", "output"), [("a", " a"), ("a", "a\nb"), ("a\n\nb", "a\nb"), ("a b", "a  b"), ("", "a")]
)
def test_trimmed_refuses_what_differs_elsewhere(expected: str, output: str) -> None:
    assert not accepts("trimmed", expected, output)


@given(st.lists(st.text("ab1", min_size=1)), st.lists(st.text("ab1", min_size=1)), st.data())
def test_tokens_takes_any_space_between_the_same_words(
    words: list[str], others: list[str], data: st.DataObject
) -> None:
    spaces = st.text(" \t\r\n", min_size=1, max_size=3)
    spaced = "".join(word + data.draw(spaces) for word in words)
    assert accepts("tokens", " ".join(words), data.draw(spaces) + spaced)
    assert accepts("tokens", " ".join(words), " ".join(others)) == (words == others)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(FLOATS, FLOATS, st.sampled_from([0.0, 1e-9, 1e-3, 0.5]))
@example(0.1 + 0.2, 0.3, 1e-9)
@example(1e10, 1e10 + 1, 1e-9)
@example(0.0, -0.0, 0.0)
def test_numbers_are_the_same_within_the_tolerance_absolute_or_relative(
    wanted: float, got: float, tolerance: float
) -> None:
    apart = abs(wanted - got)
    near = apart <= tolerance or apart <= tolerance * max(abs(wanted), abs(got))
    assume(math.isfinite(apart))
    assert accepts("numbers", repr(wanted), f" {got!r}\n", tolerance) == near


@pytest.mark.parametrize(
    ("expected", "output"),
    [
        ("1", "1.0000000001"),
        ("100", "1e2"),
        (".5", "+0.5"),
        ("1.", "1"),
        ("NaN", "nan"),
        ("Infinity", "inf"),
        ("-Infinity", "-inf"),
        ("x = 1 cm", "x =\n1.0 cm"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_numbers_are_the_same_however_they_are_written(expected: str, output: str) -> None:
    assert accepts("numbers", expected, output)


@pytest.mark.parametrize(
    ("expected", "output"),
    [
        ("1", "1.00001"),
        ("NaN", "0"),
        ("0", "NaN"),
        ("Infinity", "-Infinity"),
        ("Infinity", "1e308"),
        ("1", "1 2"),
        ("1 2", "1"),
        ("1000", "1_000"),
        ("16", "0x10"),
        ("1", "one"),
        ("1", "\u0661"),
    ],
)
def test_numbers_that_are_others_or_none_are_refused(expected: str, output: str) -> None:
    assert not accepts("numbers", expected, output)


@pytest.mark.parametrize(
    ("expected", "output", "told"),
    [
        ("1", "true", "$: expected 1, got true"),
        ("[0]", "[false]", "$[0]: expected 0, got false"),
        ('{"a": [1, {"b": null}]}', '{"a": [1, {"b": 0}]}', "$.a[1].b: expected null, got 0"),
        ('{"a": 1}', '{"b": 1}', "$: expected an object with the keys a, got an object with the keys b"),
        ("{}", "[]", "$: expected an empty object, got an array of 0"),
        ("[1, 2]", "[2, 1]", "$[0]: expected 1, got 2"),
        ("[1]", "[1, 1]", "$: expected an array of 1, got an array of 2"),
        ('"1"', "1", '$: expected "1", got 1'),
    ],
)
def test_json_tells_where_documents_part(expected: str, output: str, told: str) -> None:
    assert difference("json", expected, output.encode()) == told


@pytest.mark.parametrize(
    ("expected", "output"),
    [("1", "1.0"), ("100", "1e2"), ('{"a": 1}', '{"a": 2, "a": 1}'), ('"é"', '"\\u00e9"'), ("0", "-0")],
)
def test_json_takes_values_and_not_spelling(expected: str, output: str) -> None:
    assert accepts("json", expected, output)


@pytest.mark.parametrize(
    "output", ["", "{", "NaN", "[Infinity]", "1 2", "undefined", "[" * 100_000, "9" * 5000]
)
def test_output_that_is_no_json_is_told_so(output: str) -> None:
    told = difference("json", "1", output.encode())
    assert told
    assert told.startswith("the output is not JSON: ")


@given(st.lists(st.text("ab ")), st.randoms())
def test_unordered_lines_takes_any_order_of_the_same_lines(lines: list[str], random: object) -> None:
    shuffled = lines.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis's Random
    assert accepts("unordered_lines", "\n".join([*lines, "end"]), "\n".join([*shuffled, "end"]))


def test_unordered_lines_counts_how_often_a_line_comes() -> None:
    told = difference("unordered_lines", "a\na\nb", b"b\nc\na\n")
    assert told == "lines that are missing (-) or too many (+):\n-a\n+c"


@given(TEXTS, TEXTS, TEXTS)
def test_contains_takes_whatever_stands_around(before: str, wanted: str, after: str) -> None:
    wanted = f"<{trimmed(wanted)}>"
    assert accepts("contains", wanted, before + wanted + after)


def test_contains_refuses_output_without_the_text() -> None:
    assert difference("contains", "abc\n", b"ab c") == 'the output does not contain "abc"'


@pytest.mark.parametrize(
    ("pattern", "output", "is_found"),
    [
        (r"^\d+$", "42\r\n", True),
        (r"(?i)HELLO,? w", "say hello w", True),
        (r"^a\nb$", "a\r\nb", True),
        (r"\bcat\b", "concat", False),
        (r"^$", "x", False),
    ],
)
def test_a_pattern_is_found_anywhere_unless_it_is_anchored(
    pattern: str, output: str, *, is_found: bool
) -> None:
    assert accepts("regex", pattern, output) == is_found


def test_bytes_that_are_no_utf8_count_as_replacement_but_for_exact() -> None:
    assert difference("trimmed", "a\ufffdb", b"a\xffb") is None
    assert difference("exact", "a\ufffdb", b"a\xffb") is not None
    assert difference("exact", "a\ufffdb", "a\ufffdb".encode()) is None


@pytest.mark.parametrize(
    ("compare", "expected", "fault"),
    [
        ("regex", "(", "is no regular expression"),
        ("regex", "(" * 3000, "is no regular expression"),
        ("regex", "a" * 4001, "at most 4000 characters"),
        ("json", "{'a': 1}", "is not JSON"),
        ("json", "NaN", "is not JSON"),
    ],
)
def test_an_expectation_that_nothing_can_meet_is_a_fault(compare: Compare, expected: str, fault: str) -> None:
    assert fault in (fault_of(compare, expected) or "")


@pytest.mark.parametrize("compare", [*BY_TEXT, "regex"])
def test_any_other_expectation_is_none(compare: Compare) -> None:
    assert fault_of(compare, r"a+\d") is None


def test_a_difference_shows_the_first_line_that_differs_with_those_around() -> None:
    expected = "".join(f"line {number}\n" for number in range(1000))
    told = difference("trimmed", expected, expected.replace("line 500\n", "LINE 500\n").encode())
    assert told
    heading, *lines = told.split("\n")
    assert heading == "line 501 (- expected, + output):"
    assert lines[:4] == [" line 498", " line 499", "-line 500", "+LINE 500"]
    assert len(lines) < 10


def test_a_difference_far_into_a_long_line_is_shown() -> None:
    told = difference("trimmed", "a" * 5000 + "b" * 5000, ("a" * 5000 + "c" * 5000).encode())
    assert told
    assert re.search(r"^-…a+b+…$", told, re.MULTILINE)
    assert re.search(r"^\+…a+c+…$", told, re.MULTILINE)
    assert len(told) < 400


def test_a_difference_in_what_cannot_be_seen_is_shown_by_exact() -> None:
    told = difference("exact", "3\n", b"3 \n")
    assert told == 'line 1 (- expected, + output):\n-"3\\n"\n+"3 \\n"'


def test_tokens_are_named_by_their_place() -> None:
    assert difference("tokens", "1 2 3", b"1 3") == "token 2: expected 2, got 3"
    assert difference("tokens", "1 2", b"1") == "token 2: expected 2, got the end"
    assert difference("tokens", "1", b"1 2") == "token 2: expected the end, got 2"


def _reordered(text: str) -> str:
    """The same document with the keys of its objects the other way round."""

    def turn(pairs: list[tuple[str, object]]) -> dict[str, object]:
        return dict(reversed(pairs))

    return json.dumps(json.loads(text, object_pairs_hook=turn))
