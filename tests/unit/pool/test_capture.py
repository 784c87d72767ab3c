from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.local.pool.capture import BoundedText, Capture


@given(st.lists(st.text()), st.integers(0, 30))
def test_a_bounded_text_is_the_beginning_of_all_that_came(pieces: list[str], limit: int) -> None:
    text = BoundedText(limit)
    for piece in pieces:
        text.add(piece)
    assert str(text) == "".join(pieces)[:limit]
    assert text.full is (len("".join(pieces)) >= limit)


def test_the_last_of_several_values_counts_and_only_an_end_ends() -> None:
    capture = Capture(10)
    assert not capture.take({"mime": {"text/plain": "1"}, "end": False})
    assert capture.take({"mime": {"text/plain": "2"}, "end": True})
    assert (capture.value, capture.failed) == ("2", False)


@pytest.mark.parametrize(
    "message",
    [
        {"error": 1},
        {"stdout": 1},
        {"mime": []},
        {"error": {"traceback": 3}},
        {"mime": {"text/plain": {}}},
        {"end": 1},
    ],
)
def test_a_message_of_the_wrong_kind_ends_nothing(message: dict[str, Any]) -> None:
    assert not Capture(10).take(message)
