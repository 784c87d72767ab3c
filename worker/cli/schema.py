"""``jsworker schema``."""

from __future__ import annotations

import json

import click

from worker.cli.running import examples
from worker.job import Job
from worker.result import Result
from worker.routes import RoutesFile
from worker.written_cases import WrittenCasesFile

_SCHEMAS = {
    "job": lambda: Job.model_json_schema(mode="validation"),
    "result": lambda: Result.model_json_schema(mode="serialization"),
    "routes": lambda: RoutesFile.model_json_schema(mode="validation"),
    "cases": lambda: WrittenCasesFile.model_json_schema(mode="validation"),
}


@click.command(
    "schema",
    epilog=examples("jsworker schema job > job.schema.json", "jsworker schema cases > cases.schema.json"),
)
@click.argument("document", type=click.Choice(list(_SCHEMAS)))
def command(document: str) -> None:
    """Print the JSON Schema of a job, a result, a cases file or a file of routes.

    That of a cases file is for editors: what it refers to beside it is read by `submit` and `grade`.
    """
    schema = _SCHEMAS[document]()
    click.echo(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2))
