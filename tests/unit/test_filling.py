"""Templates of jobs, filled in with values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.filling import Unfilled, expressions, filled, mistakes

VALUES = {"event": {"id": "e1", "data": {"size": 3, "rows": [1, 2], "none": None}}, "blob": "inputs/a.csv"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_a_text_that_is_one_expression_takes_the_value_as_it_is() -> None:
    assert filled({"a": "${event.data.rows}", "b": "${ event.data.size }"}, VALUES) == {"a": [1, 2], "b": 3}


def test_a_value_within_text_is_written_as_text() -> None:
    assert filled(["x-${event.id}-${event.data.size}", "${event.data.rows}!"], VALUES) == ["x-e1-3", "[1,2]!"]


def test_what_is_no_text_stays() -> None:
    assert filled({"n": 1, "b": True, "z": None}, VALUES) == {"n": 1, "b": True, "z": None}


def test_two_dollars_stand_for_the_characters_themselves() -> None:
    assert filled("const x = `$${event.id}` + '${event.id}'", VALUES) == "const x = `${event.id}` + 'e1'"


def test_an_expression_may_have_a_default() -> None:
    assert filled("${event.data.none || `7`}", VALUES) == 7
    assert filled("${event.data.{n: size}}", VALUES) == {"n": 3}


@pytest.mark.parametrize("template", ["${event.data.nothing}", "${event.data.none}", "a ${other}"])
def test_a_missing_value_names_the_place(template: str) -> None:
    with pytest.raises(Unfilled) as error:
        filled({"args": ["x", template]}, VALUES)
    assert (error.value.code, error.value.field) == ("template_value_missing", "args.1")


@pytest.mark.parametrize("template", ["${event.", "${}", "${a b}", "${[}", "${" + "a" * 1001 + "}"])
def test_a_wrong_expression_is_found_without_values(template: str) -> None:
    assert [wrong.path for wrong in mistakes({"env": {"A": template}})] == [("env", "A")]
    with pytest.raises(Unfilled) as error:
        filled({"env": {"A": template}}, VALUES)
    assert error.value.code == "template_invalid"


def test_values_are_bounded_together() -> None:
    with pytest.raises(Unfilled) as error:
        filled(["${big}"] * 3, {"big": "x" * 400_000})
    assert (error.value.code, error.value.field) == ("template_too_large", "2")


def test_a_template_may_not_be_nested_without_end() -> None:
    nested: object = "x"
    for _ in range(60):
        nested = [nested]
    assert mistakes(nested)
    with pytest.raises(Unfilled):
        filled(nested, VALUES)


def test_the_expressions_of_a_template_are_told_with_their_places() -> None:
    template = {"a": "${x} ${y.z} $${no}", "b": ["${q}"]}
    assert list(expressions(template)) == [(("a",), "x"), (("a",), "y.z"), (("b", 0), "q")]


@given(json_values)
def test_a_value_put_in_whole_is_the_same(value: object) -> None:
    values = {"v": value}
    if value is None:
        with pytest.raises(Unfilled):
            filled("${v}", values)
    else:
        assert filled("${v}", values) == value


@given(st.text())
def test_any_text_is_filled_or_refused(text: str) -> None:
    if mistakes(text):
        with pytest.raises(Unfilled):
            filled(text, VALUES)
    else:
        assert isinstance(filled(text.replace("${", "$${"), VALUES), str)
