import pytest

from worker.pattern import Undecided, found


def test_a_pattern_that_takes_exponential_time_is_given_up() -> None:
    with pytest.raises(Undecided, match="takes over"):
        found(r"(a|aa)+$", "a" * 5000 + "b")


def test_a_pattern_is_searched_in_a_large_text() -> None:
    assert found("needle$", "hay\n" * 1_000_000 + "needle")
    assert not found("needle", "hay\n" * 1_000_000)


def test_a_text_of_lone_surrogates_and_controls_can_be_searched() -> None:
    assert found("b", "\ud800\0b")
