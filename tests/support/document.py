"""The OpenAPI document, written once for each process."""

import json
from functools import cache
from typing import Any

from app.cli.openapi import make_document

__all__ = ["read_document"]


def read_document() -> dict[str, Any]:
    """Return a document of one's own, as a client reads it."""
    document: dict[str, Any] = json.loads(_write())
    return document


@cache
def _write() -> str:
    return json.dumps(make_document())
