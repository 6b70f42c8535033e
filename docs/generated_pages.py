"""The pages of the reference that are made from the code: commands, settings, JSON Schemas."""

import json
from collections.abc import Iterator
from pathlib import Path

import typer
from pydantic import BaseModel
from typer.cli import get_docs_for_click

from pipeline.cli.app import app
from pipeline.settings import PREFIX, Settings

SCHEMAS = Path(__file__).parent / "schemas"


def write_pages(directory: Path) -> None:
    """Write all generated pages into a directory."""
    directory.mkdir(exist_ok=True)
    for name, text in (("cli", _cli()), ("settings", _settings()), ("schemas", _schemas())):
        path = directory / f"{name}.md"
        # Sphinx reads again what is newer.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _cli() -> str:
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="digits")
    text: str = get_docs_for_click(obj=command, ctx=context, name="digits")
    return text.replace("# `digits`", "# Commands", 1)


def _settings() -> str:
    lines = [
        "# Settings",
        "",
        "All settings are environment variables. An empty variable counts as not set.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
        *_rows(Settings, PREFIX),
        "",
    ]
    return "\n".join(lines)


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name}".upper()
        if isinstance(field.default, BaseModel):
            yield from _rows(type(field.default), f"{variable}__")
            continue
        default = "below the home" if field.default_factory else _shown(field.default)
        meaning = (field.description or "").replace("\n", " ").replace("``", "`")
        yield f"| `{variable}` | {default} | {meaning} |"


def _shown(default: object) -> str:
    if default is None:
        return "none"
    values = default if isinstance(default, tuple) else (default,)
    return ", ".join(f"`{value}`" for value in values)


def _schemas() -> str:
    lines = [
        "# JSON Schemas",
        "",
        "The output of every command with `--json` has a JSON Schema.",
        "",
        "| schema | describes |",
        "|---|---|",
    ]
    for path in sorted(SCHEMAS.glob("*.json")):
        schema = json.loads(path.read_text())
        meaning = schema.get("description") or schema.get("title", "")
        lines.append(f'| <a href="../../{path.name}">{path.name}</a> | {meaning} |')
    return "\n".join([*lines, ""])
