import pytest

from worker.local.pool import Quirks
from worker.local.pool.quirks import WhenFull


def test_quirks_are_read_by_their_names() -> None:
    text = '{"accepted_status": true, "when_full": "404", "delete_refused": 501, "allocation_seconds": 2.5}'
    expected = Quirks(
        accepted_status=True, when_full=WhenFull.NOT_FOUND, delete_refused=501, allocation_seconds=2.5
    )
    assert Quirks.from_json(text) == expected


@pytest.mark.parametrize("text", ["", "[]", '{"typo": 1}', '{"when_full": "418"}', '{"delete_refused": 404}'])
def test_what_is_no_quirk_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"quirks|JSON|Expecting|418|delete_refused"):
        Quirks.from_json(text)
