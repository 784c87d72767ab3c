"""Tokens and what they open."""

import time
from urllib.parse import quote_plus

import pytest
from azure.servicebus._pyamqp.utils import generate_sas_token

from worker.local.broker.auth import TokenCheck, TokenRefusedError

POLICY = "RootManageSharedAccessKey"
CHECK = TokenCheck("key", frozenset({"jwt"}))


def sas(resource: str, key: str = "key", policy: str = POLICY, expiry: int | None = None) -> str:
    return str(generate_sas_token(resource, policy, key, expiry))  # type: ignore[no-untyped-call]  # the SDK's


def test_a_token_for_a_queue_covers_what_is_below_it() -> None:
    grant = CHECK.grant(sas("sb://host:1/Jobs"), "sb://host:1/jobs")
    now = time.time()
    assert grant.covers("jobs", now)
    assert grant.covers("jobs/$deadletterqueue/$management", now)
    assert not grant.covers("jobs2", now)
    assert not grant.covers("jobs", now + 4000)


def test_a_token_for_the_namespace_opens_any_queue() -> None:
    grant = CHECK.grant(sas("sb://host"), "sb://host/jobs")
    assert grant.covers("jobs", time.time())


@pytest.mark.parametrize(
    "token",
    [
        sas("sb://h/jobs", key="wrong"),
        sas("sb://h/jobs", policy="Other"),
        sas("sb://h/jobs", expiry=int(time.time()) - 1),
        sas("sb://h/other"),
        sas("sb://h/jobs").replace("se=", "se=9"),
        sas("sb://h/jobs").replace(quote_plus("sb://h/jobs"), quote_plus("sb://h/")),
        "SharedAccessSignature ",
        "SharedAccessSignature sr&sig&se&skn",
        "other jwt",
        "",
        None,
        b"jwt",
        "jwt\u00e4",
    ],
)
def test_any_other_token_is_refused(token: object) -> None:
    with pytest.raises(TokenRefusedError):
        CHECK.grant(token, "sb://h/jobs")
