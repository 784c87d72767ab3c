import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.local.pool.errors import ServiceError
from worker.local.pool.requests import LENGTH_VERSION, checked_identifier, parse_execution


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists), st.booleans())
def test_any_json_is_a_request_or_refused(value: object, wrapped: bool) -> None:  # noqa: FBT001 - a property's input
    body = json.dumps({"code": value, "properties": {"code": value}}).encode()
    try:
        asked = parse_execution(body, version=LENGTH_VERSION, wrapped=wrapped)
    except ServiceError as refusal:
        assert refusal.status == 400  # noqa: PT017 - either outcome is right, each with its own check
        assert not isinstance(value, str)
    else:
        assert asked.code == value


@given(st.binary())
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    with pytest.raises(ServiceError):
        parse_execution(body, version=LENGTH_VERSION, wrapped=False)


@given(st.from_regex(r"[A-Za-z0-9-]{4,128}", fullmatch=True))
def test_identifiers_of_the_safe_alphabet_are_taken(identifier: str) -> None:
    assert checked_identifier(identifier) == identifier


@pytest.mark.parametrize("identifier", [None, "", "abc", "test\n", "a" * 129, "tést1"])
def test_other_identifiers_are_refused(identifier: str | None) -> None:
    with pytest.raises(ServiceError):
        checked_identifier(identifier)
