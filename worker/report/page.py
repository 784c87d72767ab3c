"""What the HTML pages share: templates, style, and the policy under which nothing but our own runs."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from worker.report.standing import words
from worker.report.text import counted, number

if TYPE_CHECKING:
    from jinja2 import Template

_FOLDER = Path(__file__).parent / "templates"


@cache
def template(name: str) -> Template:
    """A template of this package; everything put into it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": words, "number": number}
    environment.globals |= {"counted": counted}
    return environment.get_template(name)


@cache
def source(name: str) -> str:
    """A style sheet or script, as it stands in a page."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def policy(style: str, script: str | None = None) -> str:
    """A content security policy: this style and this script, and nothing from anywhere."""
    parts = ["default-src 'none'", "base-uri 'none'", "form-action 'none'", f"style-src {_hash(style)}"]
    if script:
        parts += [f"script-src {_hash(script)}", "require-trusted-types-for 'script'", "trusted-types 'none'"]
    return "; ".join(parts)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
