"""The window of duplicate detection."""

from worker.local.broker.duplicates import DuplicateWindow


def test_an_id_is_a_duplicate_until_its_window_has_passed() -> None:
    window = DuplicateWindow(10)
    assert window.remember(b"a", 100) == 110
    assert window.remember(b"a", 109.9) is None
    assert window.remember(b"b", 109.9) == 119.9
    assert window.remember(b"a", 110) == 120


def test_stored_ids_count_and_are_forgotten_in_the_order_of_their_times() -> None:
    window = DuplicateWindow(10, [(b"late", 108), (b"early", 101)])
    assert window.remember(b"late", 105) is None
    assert window.remember(b"early", 105) == 115
