"""`smartrouting openapi`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from app.main import create_app
from app.settings import Settings

__all__ = ["make_document", "openapi", "write_openapi"]


def openapi(
    output: Annotated[Path | None, typer.Option(help="File to write; without it standard output.")] = None,
) -> None:
    """Write the OpenAPI document as YAML; it needs no settings and holds no secrets."""
    document = write_openapi()
    if output is None:
        sys.stdout.write(document)
    else:
        output.write_text(document, encoding="utf-8")


def write_openapi() -> str:
    """Return the document as YAML, always the same for the same code."""
    text: str = yaml.safe_dump(make_document(), sort_keys=False, allow_unicode=True, width=120)
    return text


def make_document() -> dict[str, Any]:
    """Return the document as it is before it is written."""
    settings = Settings(
        webhook={"api_keys": {"example": "not-a-real-webhook-key"}},  # type: ignore[arg-type] # pydantic reads it
        dataverse={"url": "https://example.crm4.dynamics.com", "auth": "token", "token": "none"},  # type: ignore[arg-type] # pydantic reads it
    )
    return create_app(settings).openapi()
