"""Which requests come from this very machine."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from worker.loopback import refusal

HERE = "127.0.0.1:8080"


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", [HERE, "localhost", "LocalHost:8080", "[::1]:8080", "[::1]", "127.0.0.1"])
def test_this_machine_is_answered(peer: str, host: str) -> None:
    assert refusal(peer, host, {}) is None


@pytest.mark.parametrize(
    "peer",
    [
        "10.0.0.7",
        "::ffff:10.0.0.7",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "fe80::1%eth0",
        "0.0.0.0",  # noqa: S104 - a peer's address, nothing is bound
        "::",
        "localhost",
        "",
        None,
    ],
)
def test_another_machine_is_refused(peer: str | None) -> None:
    assert refusal(peer, HERE, {}) == "asked from another machine"


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-forwarded-for", "Forwarded", "Via", "X-Real-IP"])
def test_a_proxy_of_this_machine_is_refused_whoever_it_says_it_asks_for(name: str) -> None:
    assert refusal("127.0.0.1", HERE, CIMultiDict({name: "127.0.0.1"})) == (
        "asked by a proxy on behalf of another"
    )


def test_no_header_makes_another_machine_this_one() -> None:
    claims = CIMultiDict({"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "::1", "Forwarded": "for=127.0.0.1"})
    assert refusal("10.0.0.7", HERE, claims) == "asked from another machine"


@pytest.mark.parametrize(
    "host", ["rebound.example:8080", "127.0.0.1.example", "localhost.example", "10.0.0.7", "", "[", ":8080"]
)
def test_a_page_in_a_browser_of_this_machine_is_refused_by_the_name_it_comes_under(host: str) -> None:
    assert refusal("127.0.0.1", host, {}) == "asked under the name of another host"
