"""Where events may be posted, and how they are signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.faults import JobRejected
from worker.webhook_addresses import is_allowed
from worker.webhook_message import webhook_message
from worker.webhook_signing import keys_of, signature_headers
from worker.webhook_url import allowed_target, check_url, host_pattern, target_of

HOSTS = ("hooks.example.com", "*.wild.example", "xn--bcher-kva.example", "192.0.2.7", "[2001:db8::7]")
PRIVATE = [
    "10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "192.88.99.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff0e::1", "2001:db8::1",
    "2001::1", "3fff::1", "5f00::1", "64:ff9b:1::1", "100::1", "::8.8.8.8",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111"]


def refused(url: str) -> JobRejected:
    with pytest.raises(JobRejected) as caught:
        check_url(url, HOSTS, "events.webhook")
    assert caught.value.field == "events.webhook"
    return caught.value


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://hooks.example.com", "hooks.example.com", "/"),
        ("HTTPS://Hooks.Example.COM./a?b=c", "hooks.example.com", "/a?b=c"),
        ("https://hooks.example.com:443?b", "hooks.example.com", "/?b"),
        ("https://hooks.example.com:8443/%20/../x", "hooks.example.com:8443", "/%20/../x"),
        ("https://a.b.wild.example/", "a.b.wild.example", "/"),
        ("https://Bücher.example/", "xn--bcher-kva.example", "/"),
        ("https://hooks。example。com/", "hooks.example.com", "/"),
        ("https://192.0.2.7/", "192.0.2.7", "/"),
        ("https://[2001:DB8:0::7]:99/", "[2001:db8::7]:99", "/"),
    ],
)
def test_a_url_of_a_listed_host_is_taken(url: str, authority: str, path: str) -> None:
    target = allowed_target(url, HOSTS)
    assert (target.authority, target.path) == (authority, path)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/", "https://hooks.example.com.evil.example/", "https://evilwild.example/",
        "https://wild.example/", "https://hooks-example.com/", "https://192.0.2.8/", "https://[::ffff:192.0.2.7]/",
        "https://localhost/", "https://2130706433.wild.example.com/",
    ],
)  # fmt: skip
def test_a_host_that_is_not_listed_is_not_allowed(url: str) -> None:
    assert refused(url).code == "webhook_not_allowed"


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example.com", "http://hooks.example.com/", "//hooks.example.com/",
        "https:hooks.example.com", "https:///hooks.example.com", "https://user@hooks.example.com/", "https://:@hooks.example.com/",
        "https://evil.example\\@hooks.example.com/", "https://hooks.example.com\\.evil.example/",
        "https://hooks.example.com/#", "https://hooks.example.com#@evil.example/",
        "https://hooks.example.com:/", "https://hooks.example.com:0/", "https://hooks.example.com:65536/",
        "https://hooks.example.com:+443/", "https://hooks.example.com:443:443/",
        " https://hooks.example.com/", "https://hooks.example.com/\n", "https://hooks.example.com/a b",
        "https://hooks.example.com/ü", "https://hooks.example.com/\r\nhost: evil", "https://hooks%2Eexample.com/",
        "https://hooks.\texample.com/", "https://.wild.example/", "https://a..wild.example/", "https://*.wild.example/",
        "https://192.0.2.07/", "https://192.0.519/", "https://0xc0.0.2.7/", "https://3221225991/",
        "https://x.wild.example.1/", "https://[2001:db8::7/", "https://[2001:db8::7%25eth0]/", "https://[]/",
        "https://" + "a" * 64 + ".wild.example/", "https://hooks.example.com/" + "a" * 2000,
    ],
)  # fmt: skip
def test_a_url_that_breaks_a_rule_is_invalid(url: str) -> None:
    assert refused(url).code == "invalid_webhook"


@given(st.text(max_size=60), st.text(max_size=20))
def test_whatever_the_url_it_is_refused_or_of_a_listed_host(authority: str, rest: str) -> None:
    try:
        target = allowed_target(f"https://{authority}{rest}", HOSTS)
    except JobRejected:
        return
    assert target.host in {"hooks.example.com", "xn--bcher-kva.example", "192.0.2.7", "2001:db8::7"} or (
        target.host.endswith(".wild.example")
    )
    assert target == target_of(f"https://{target.authority}{target.path}")


@pytest.mark.parametrize(
    "pattern", ["", "*", "*.com", "*.192.0.2.7", "a.*.example", "https://a.example", "a b"]
)
def test_an_entry_of_the_allow_list_that_is_no_host_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"valid host|too much"):
        host_pattern(pattern)


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_for_everybody_are_refused(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_taken(address: str) -> None:
    assert is_allowed(address)


@given(st.ip_addresses(v=4))
def test_an_address_of_version_4_is_judged_alike_in_whatever_it_is_wrapped(address: IPv4Address) -> None:
    mapped = IPv6Address(f"::ffff:{address}")
    translated = IPv6Address(f"64:ff9b::{address}")
    tunnelled = IPv6Address((0x2002 << 112) | (int(address) << 80) | 1)
    assert {is_allowed(str(one)) for one in (mapped, translated, tunnelled)} == {is_allowed(str(address))}
    assert not is_allowed(str(address)) or (address.is_global and not address.is_private)


@given(st.ip_addresses())
def test_a_network_that_is_allowed_allows_its_addresses_and_no_others(
    address: IPv4Address | IPv6Address,
) -> None:
    networks = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
    inside = any(address in network for network in networks)
    assert is_allowed(str(address), networks) == (inside or is_allowed(str(address)))


def test_a_mapped_address_of_an_allowed_network_is_taken() -> None:
    assert is_allowed("::ffff:10.1.2.3", [ip_network("10.0.0.0/8")])


def test_the_signature_is_that_of_the_schemes_own_example() -> None:
    keys = keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    event_id, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
    assert signature_headers(keys, event_id, 1614265330, body) == {
        "webhook-id": event_id,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(st.lists(st.binary(min_size=24, max_size=64), min_size=1, max_size=3), st.binary())
def test_every_key_has_its_signature_in_order(keys: list[bytes], body: bytes) -> None:
    secrets = " ".join("whsec_" + base64.b64encode(key).decode() for key in keys)
    headers = signature_headers(keys_of(secrets), "e1", 5, body)
    made = [hmac.new(key, b"e1.5." + body, hashlib.sha256).digest() for key in keys]
    assert headers["webhook-signature"].split() == ["v1," + base64.b64encode(one).decode() for one in made]


@pytest.mark.parametrize(
    "secret", ["", "c2VjcmV0LXNlY3JldC1zZWNyZXQ=", "whsec_###", "whsec_c2hvcnQ=", "whsec_" + "QUFB" * 90]
)
def test_a_secret_that_cannot_be_used_is_not_told(secret: str) -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        keys_of(secret)
    assert not secret or secret not in str(caught.value)


def test_the_same_event_makes_the_same_message_for_the_same_url_only() -> None:
    message = webhook_message("https://hooks.example.com/a", "b1/j1", b"{}")
    assert message == webhook_message("https://hooks.example.com/a", "b1/j1", b"{}")
    assert message.message_id.startswith("b1/j1:")
    assert message.message_id != webhook_message("https://hooks.example.com/b", "b1/j1", b"{}").message_id
    assert message.properties == {
        "jsworker-webhook": "https://hooks.example.com/a",
        "jsworker-event": "b1/j1",
    }


@given(st.text("ab", min_size=1, max_size=256), st.text("ab", min_size=1, max_size=256))
def test_message_ids_are_short_enough_and_as_different_as_the_events(one: str, other: str) -> None:
    ids = [webhook_message("https://a.example", event, b"").message_id for event in (one, other)]
    assert max(map(len, ids)) <= 128
    assert (ids[0] == ids[1]) == (one == other)


@pytest.mark.parametrize("event_id", ["", "a b", "a\nb", "ü", "x" * 257])
def test_an_event_whose_id_cannot_stand_in_a_header_makes_no_message(event_id: str) -> None:
    with pytest.raises(JobRejected, match="visible ASCII"):
        webhook_message("https://hooks.example.com/", event_id, b"{}")
