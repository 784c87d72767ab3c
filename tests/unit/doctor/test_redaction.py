"""What is sent in has no names, ids or secrets in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.doctor.identity import claims_of, is_loopback
from worker.doctor.redaction import redacted

if TYPE_CHECKING:
    import uuid

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=12, max_size=40)
ENDPOINT = "https://{}.dynamicsessions.io/subscriptions/{}/resourceGroups/{}/sessionPools/{}"


@given(st.uuids(), NAMES, NAMES)
def test_subscriptions_groups_pools_and_sessions_are_left_out_wherever_they_stand(
    subscription: uuid.UUID, group: str, pool: str
) -> None:
    session = f"doctor-{subscription.hex}"
    url = ENDPOINT.format("westeurope", subscription, group, pool)
    seen = redacted(f'{{"identifier": "{session}", "at": "{url}", "trace": "{subscription}"}}')
    assert str(subscription) not in seen
    assert session not in seen
    assert f"/{group}/" not in seen
    assert f"/{pool}" not in seen
    assert "westeurope.dynamicsessions.io" in seen


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("see https://pool.contoso.internal:8443/a", "see https://HOST/a"),
        ("Bearer eyJhbGciOi.eyJzdWIi.sig-nature", "Bearer TOKEN"),
        ("pod 10.4.12.7 failed", "pod ADDRESS failed"),
        (
            "node 20.18.0 and api-version 2025-10-02-preview",
            "node 20.18.0 and api-version 2025-10-02-preview",
        ),
        ("jsw-1a2b-003-0000-abcdef timed out", "SESSION timed out"),
        ("the key is hunter2", "the key is SECRET"),
    ],
)
def test_what_may_be_seen_stays(text: str, seen: str) -> None:
    assert redacted(text, ["hunter2", ""]) == seen


@given(st.text())
def test_any_text_at_all_has_claims_or_none(text: str) -> None:
    assert isinstance(claims_of(f"a.{text}.c"), dict)


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://127.0.0.1:80/a", True),
        ("http://[::1]/", True),
        ("http://localhost:1", True),
        ("https://a.example", False),
    ],
)
def test_this_machine_is_known(url: str, is_here: bool) -> None:  # noqa: FBT001 - a column
    assert is_loopback(url) is is_here
