"""What the site has beside docs/: the README and the changelog, and a reference made of the code itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

from deploy.site.command_reference import commands_page
from deploy.site.model_reference import model_page
from worker.cli.schema import SCHEMAS

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_FOR_TESTS = re.compile(
    r"^<!-- (run|not run|file|no block of this page)\b(?:(?!-->).)*-->\n", re.DOTALL | re.MULTILINE
)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made."""
    for name, content in generated().items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Leave out what is said to the tests, and write links to what the site does not have as names."""
    if "/" in page.file.src_uri:
        return markdown
    markdown = _FOR_TESTS.sub("", markdown)
    return re.sub(r"\[([^\]]+)\]\(\.\./([^)\s]+)\)", lambda link: _named(link[1], link[2]), markdown)


def generated() -> dict[str, str]:
    """The text of each file that is made, by its name."""
    readme = (ROOT / "README.md").read_text("utf-8")
    models = {f"reference/{name}.md": model_page(name) for name in SCHEMAS}
    return {
        "index.md": _LINK.sub(_below_docs, readme),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text("utf-8"),
        "reference/commands.md": commands_page(),
        "site.css": (HERE / "site.css").read_text("utf-8"),
        **models,
    }


def _below_docs(link: re.Match[str]) -> str:
    """A link of the README as one of the site."""
    text, target = link[1], link[2]
    if target.startswith("docs/"):
        return f"[{text}]({target.removeprefix('docs/')})"
    return link[0] if ":" in target or target.startswith("#") else _named(text, target)


def _named(text: str, path: str) -> str:
    plain = text.strip("`")
    return f"`{path}`" if plain == path.rstrip("/") else f"{text} (`{path}`)"
