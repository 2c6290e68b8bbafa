"""`smartrouting openapi`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from app.cli.power_platform import make_connector
from app.main import create_app
from app.settings import Settings

__all__ = ["make_document", "openapi", "write_openapi"]


def openapi(
    output: Annotated[Path | None, typer.Option(help="File to write; without it standard output.")] = None,
    *,
    power_platform: Annotated[
        bool, typer.Option("--power-platform", help="As Swagger 2.0, for a custom connector of Power Platform.")
    ] = False,
    host: Annotated[str, typer.Option(help="Of the service, for the connector.")] = "routing.example.com",
) -> None:
    """Write the OpenAPI document as YAML; it needs no settings and holds no secrets."""
    document = _write(make_connector(make_document(), host=host)) if power_platform else write_openapi()
    if output is None:
        sys.stdout.write(document)
    else:
        output.write_text(document, encoding="utf-8")


def write_openapi() -> str:
    """Return the document as YAML, always the same for the same code."""
    return _write(make_document())


def _write(document: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return text


def make_document() -> dict[str, Any]:
    """Return the document as it is before it is written."""
    settings = Settings(
        webhook={"api_keys": {"example": "not-a-real-webhook-key"}},  # type: ignore[arg-type] # pydantic reads it
        dataverse={"url": "https://example.crm4.dynamics.com", "auth": "token", "token": "none"},  # type: ignore[arg-type] # pydantic reads it
    )
    return create_app(settings).openapi()
