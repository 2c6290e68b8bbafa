"""`smartrouting settings`."""

import sys

from app.settings.tree import list_settings

__all__ = ["settings", "write_settings_table"]


def settings() -> None:
    """List every setting with its default and meaning, as a Markdown table."""
    sys.stdout.write(write_settings_table())


def write_settings_table() -> str:
    """Return the table, always the same for the same code."""
    rows = [f"| `{s.variable}` | {_code(s.default)} | {s.meaning} |" for s in list_settings()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
