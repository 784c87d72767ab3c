"""What is wrong around the services is found, too: certificates, sign-in, and the network of sessions."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.receiver import DAY, receiving
from tests.system.doctor.stack import LINES, POOL, STORAGE, Hurt, examined
from tests.system.worker.processes import pool
from tests.system.worker.test_identity import HEADER, identity
from worker.doctor.blob_rules import scratch
from worker.doctor.context import open_context
from worker.settings import WorkerSettings, load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.doctor.stack import Stack
    from worker.doctor.finding import Finding

KEY = "JSWORKER_POOL_TOKEN"


def wrong(findings: list[Finding]) -> list[Finding]:
    return [each for each in findings if each.status in {"warning", "failed"}]


@pytest.mark.parametrize(
    ("name", "lasts", "is_trusted", "says"),
    [
        ("localhost", timedelta(hours=-1), True, "has expired"),
        ("localhost", DAY, False, "is not trusted"),
        ("pool.example", DAY, True, "is not for localhost"),
    ],
)
async def test_a_certificate_that_cannot_be_relied_on_is_named(  # noqa: PLR0913, PLR0917 - a table's columns
    stack: Stack,
    name: str,
    lasts: timedelta,
    is_trusted: bool,  # noqa: FBT001 - a column
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with receiving(tmp_path, name, lasts=lasts) as server:
        if is_trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
        hurt = Hurt({POOL: server.url("localhost", "/subscriptions/s/resourceGroups/g/sessionPools/p")})
        (found,) = wrong(await examined(stack, hurt, monkeypatch, only="pool"))
    assert (found.check, found.status, says in found.message) == ("pool-host", "failed", True), found
    assert f"openssl s_client -connect localhost:{server.port}" in str(found.remedy)


async def test_a_check_that_breaks_off_with_a_lease_leaves_no_blob(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    async with open_context(load(WorkerSettings)) as context:
        with suppress(KeyError):
            async with scratch(context) as blob:
                await blob.upload_blob(b"")
                await blob.acquire_lease(15)
                raise KeyError
    assert stack.left_behind() == []


async def test_programs_that_get_through_to_the_network_are_a_warning(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port = int(stack.environment[STORAGE].rpartition(":")[2].partition("/")[0])
    lines = replace(LINES, outside=(("127.0.0.1", port), ("127.0.0.1", 9)))
    with pool(tmp_path, "token-of-the-pool", "--unsafe-no-sandbox") as own:
        (found,) = wrong(await examined(stack, Hurt(own, lines=lines), monkeypatch, only="pool"))
    assert (found.check, found.facts) == ("pool-egress", {"reached": [f"127.0.0.1:{port}"]})
    assert "sessionpool update --name local --resource-group local --network-status" in str(found.remedy)


async def test_who_signs_in_is_told_and_nothing_is_wrong_then(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with identity(stack.environment[KEY]) as server:
        signing_in(server.server_port, monkeypatch)
        findings = await examined(stack, Hurt({KEY: None}), monkeypatch, only="pool")
        signed_in = await examined(stack, Hurt({KEY: None}), monkeypatch, only="sign-in")
    assert wrong(findings) == []
    (who,) = [each for each in signed_in if each.check == "credential"]
    assert who.facts["credential"] == "ManagedIdentityCredential"


async def test_a_token_that_the_pool_refuses_is_told_from_none(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with identity("token-of-another-tenant") as server:
        signing_in(server.server_port, monkeypatch)
        (found,) = wrong(await examined(stack, Hurt({KEY: None}), monkeypatch, only="pool"))
    assert (found.check, "another tenant" in found.message) == ("pool-access", True)
    assert "az login --tenant" in str(found.remedy)


async def test_no_way_to_sign_in_is_told_once_and_what_needs_it_is_not_looked_at(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")  # of which nothing is set
    findings = await examined(stack, Hurt({KEY: None}), monkeypatch, only="pool")
    (found,) = wrong(findings)
    assert (found.check, found.part) == ("credential", "sign-in")
    assert "az login" in str(found.remedy)
    (access,) = [each for each in findings if each.check == "pool-access"]
    assert (access.status, access.facts["because"]) == ("unknown", "credential")


def signing_in(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the managed identity of an app be asked at a port, and no other credential."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/token")
    monkeypatch.setenv("IDENTITY_HEADER", HEADER)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
