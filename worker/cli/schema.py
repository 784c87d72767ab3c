"""``jsworker schema``."""

from __future__ import annotations

import json

import click

from worker.cli.running import examples
from worker.job import Job
from worker.result import Result


@click.command("schema", epilog=examples("jsworker schema job > job.schema.json"))
@click.argument("document", type=click.Choice(["job", "result"]))
def command(document: str) -> None:
    """Print the JSON Schema of a job or a result."""
    schema = (
        Job.model_json_schema(mode="validation")
        if document == "job"
        else Result.model_json_schema(mode="serialization")
    )
    click.echo(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2))
