"""``jsworker cases``."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from worker.cases_source import read_cases
from worker.cli.batch_run import LOCAL, MAX_SESSIONS, VERBOSE, BatchRun, beside_worker, completed, new_name
from worker.cli.cases_report import of_cases, of_proof
from worker.cli.running import PATH, SHORT, UNDONE, examples, failures, run
from worker.cli.stack import STATE
from worker.proving import Proof, Tried, laid_open, trials
from worker.report import MAX_RESULT_BYTES
from worker.setting_groups import CasesSettings
from worker.settings import load
from worker.submission import given

if TYPE_CHECKING:
    from pathlib import Path

    from worker.candidate import Candidate
    from worker.cases_source import ReadCases
    from worker.cli.batch_run import Services
    from worker.proving import Role

_EXAMPLES = examples(
    "jsworker cases check cases.yaml",
    "jsworker cases check cases.yaml --local --solution good.js --wrong off-by-one.js",
    "jsworker cases check tests/ --local --solution solutions/ --wrong mistakes/",
)


@click.group("cases", epilog=_EXAMPLES)
def command() -> None:
    """Check cases before a class meets them."""


@command.command("check", epilog=_EXAMPLES)
@click.argument("path", metavar="FILE|FOLDER", type=PATH)
@click.option(
    "--solution", "right", type=PATH, multiple=True, help="A right program, or a folder. Repeatable."
)
@click.option("--wrong", type=PATH, multiple=True, help="A wrong program, or a folder of them. Repeatable.")
@LOCAL
@MAX_SESSIONS
@STATE
@VERBOSE
def check(path: Path, right: tuple[Path, ...], wrong: tuple[Path, ...], **options: Any) -> None:  # noqa: ANN401 - those of BatchRun
    """Check a cases file, or a folder of pairs name.in and name.out, and show its cases.

    With programs they are run: each --solution must be accepted in every case, and each --wrong must fail
    one. Shown is which cases catch which wrong programs, which catch none, and which take a solution over
    half of their time limit. Nothing is hidden then, and no run ends at the first failure.

    The exit status is 0 when all is as it should be, 3 when it is not, 1 when the cases cannot be used or a
    program could not be run.
    """
    with failures():
        cases = read_cases(path, load(CasesSettings).max_cases_bytes)
    if not right and not wrong:
        click.echo("\n".join(of_cases(path, cases.file)))
        return
    batch_run = BatchRun(batch=new_name("check"), **options)
    run(_prove(path, cases, right, wrong, batch_run))


async def _prove(
    path: Path, cases: ReadCases, right: tuple[Path, ...], wrong: tuple[Path, ...], batch_run: BatchRun
) -> int:
    solutions, mistakes = trials(right, "right", batch_run.batch), trials(wrong, "wrong", batch_run.batch)
    jobs = given(solutions + mistakes, laid_open(cases))
    async with beside_worker(batch_run, partial(completed, jobs=jobs)) as (services, _):
        tried = [await _tried(services, job, "right") for job in solutions]
        tried += [await _tried(services, job, "wrong") for job in mistakes]
        default_limit = services.settings.default_timeout_seconds
    limits = {case.name: case.limits.timeout_seconds for case in cases.file.cases}
    own_limits = {name: limit for name, limit in limits.items() if limit is not None}
    proof = Proof(tuple(tried), own_limits, default_limit)
    click.echo("\n".join([*of_cases(path, cases.file, proof), "", *of_proof(proof)]))
    return status_of(proof)


def status_of(proof: Proof) -> int:
    """The exit status: that a program did not run counts before what the others proved."""
    if proof.ungraded:
        return UNDONE
    return SHORT if proof.unexpected else 0


async def _tried(services: Services, job: Candidate, role: Role) -> Tried:
    content = await services.client.blobs.read(services.folder.result(job.entry.id), limit=MAX_RESULT_BYTES)
    return Tried(str(job.entry.metadata.get("student", job.entry.id)), role, json.loads(content.data))
