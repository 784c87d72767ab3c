"""``jsworker schema``."""

from __future__ import annotations

import json
from typing import Any

import click

from worker.cli.running import examples
from worker.job import Job
from worker.result import Result
from worker.routes import RoutesFile
from worker.schedule import SchedulesFile
from worker.written_cases import WrittenCasesFile

SCHEMAS = {
    "job": lambda: Job.model_json_schema(mode="validation"),
    "result": lambda: Result.model_json_schema(mode="serialization"),
    "routes": lambda: RoutesFile.model_json_schema(mode="validation"),
    "schedules": lambda: SchedulesFile.model_json_schema(mode="validation"),
    "cases": lambda: WrittenCasesFile.model_json_schema(mode="validation"),
}


def schema(document: str) -> dict[str, Any]:
    """The JSON Schema of a document, by its name among ``SCHEMAS``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **SCHEMAS[document]()}


@click.command(
    "schema",
    epilog=examples("jsworker schema job > job.schema.json", "jsworker schema cases > cases.schema.json"),
)
@click.argument("document", type=click.Choice(list(SCHEMAS)))
def command(document: str) -> None:
    """Print the JSON Schema of a job, a result, or a file of cases, routes or schedules.

    That of a cases file is for editors: what it refers to beside it is read by `submit` and `grade`.
    """
    click.echo(json.dumps(schema(document), indent=2))
