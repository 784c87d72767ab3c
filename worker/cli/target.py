"""How a command is told a batch, or one job of a batch."""

from __future__ import annotations

import re

import click

from worker.job import DEFAULT_BATCH
from worker.names import NAME


def job_of(text: str, batch: str | None) -> tuple[str, str]:
    """The batch and id of a job given as ``ID`` or ``BATCH/ID``.

    Raises:
        click.UsageError: it is neither, or names two batches.
    """
    named, slash, job_id = text.rpartition("/")
    if slash and batch and named != batch:
        raise click.UsageError(f"{text!r} is in the batch {named!r}, and --batch says {batch!r}.")
    return _name(named if slash else batch or DEFAULT_BATCH), _name(job_id)


def batch_or_job(text: str | None, job: str | None, batch: str | None) -> tuple[str, str | None]:
    """A batch, or the batch and id of a job: as ``BATCH``, ``BATCH/ID``, or by options.

    Raises:
        click.UsageError: it is none of these, or several.
    """
    if text and not job and not batch:
        return job_of(text, None) if "/" in text else (_name(text), None)
    if batch and not text:
        return batch, _name(job) if job else None
    raise click.UsageError("Give BATCH, BATCH/JOB, or --batch BATCH with --job JOB.")


def _name(text: str) -> str:
    if not re.fullmatch(NAME[1:-1], text) or ".." in text:
        raise click.UsageError(
            f"{text!r} is no name: letters, digits, '.', '_' and '-', at most 128, no '..'."
        )
    return text
