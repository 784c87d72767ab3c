"""Each thing that is wrong is found by one check, with what mends it; nothing where all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.doctor.ills import ILLS
from tests.system.doctor.stack import Hurt, examined

if TYPE_CHECKING:
    from tests.system.doctor.stack import Stack
    from worker.doctor.finding import Finding


def wrong(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(each.check, each.status) for each in findings if each.status in {"warning", "failed"}]


@pytest.mark.parametrize("name", ILLS)
async def test_what_is_wrong_is_found_by_the_check_for_it_alone_which_says_what_mends_it(
    stack: Stack, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill = ILLS[name]
    findings = await examined(stack, ill.hurt, monkeypatch, only=ill.part)
    assert wrong(findings) == [(ill.check, ill.status)]
    (found,) = [each for each in findings if each.check == ill.check and each.status == ill.status]
    assert (found.part, ill.says in found.message, ill.mends in str(found.remedy)) == (
        ill.part,
        True,
        True,
    ), found


@pytest.mark.parametrize("leases", ["false", "true"])
async def test_nothing_is_wrong_where_all_is_well(
    stack: Stack, leases: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = await examined(stack, Hurt({"JSWORKER_PERMIT_LEASES": leases}), monkeypatch)
    assert {each.status for each in findings} <= {"ok", "info"}, findings
    assert {each.part for each in findings} == {
        "settings",
        "sign-in",
        "service-bus",
        "storage",
        "pool",
        "clock",
    }
