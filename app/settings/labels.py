"""Labels that tell secrets apart."""

import re
from collections.abc import Iterable

from pydantic import SecretStr

__all__ = ["refuse_placeholders", "require_different"]

_PLACEHOLDER = re.compile(r"<[^<>]*>")


def require_different(secrets: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Refuse one secret under two labels: its use could not be told apart, nor one of them be retired."""
    if len({secret.get_secret_value().strip() for secret in secrets.values()}) < len(secrets):
        raise ValueError("two labels have the same secret")
    return secrets


def refuse_placeholders(secrets: Iterable[SecretStr]) -> None:
    """Refuse a blank of the documentation that nobody filled in, since everybody knows it."""
    if any(_PLACEHOLDER.fullmatch(secret.get_secret_value().strip()) for secret in secrets):
        raise ValueError("a secret still reads like `<…>`: put a long random one in its place")
