"""What commands share with the shell that runs them: errors of one line, and files that are private."""

import os
import re
from typing import Annotated, Final

import typer

from app.errors import AppError, Finding

__all__ = ["Json", "describe_error", "format_fragment", "keep_files_private"]

Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of lines.")]
_MAX_FINDINGS = 5
_BEGINS_A_SENTENCE: Final = re.compile(r"\A(?:The|This|There|A|No|Some|Several)(?= )")


def describe_error(error: AppError) -> str:
    """Say what an error says, with the first of its findings."""
    told = [_describe_finding(finding) for finding in error.findings[:_MAX_FINDINGS]]
    more = len(error.findings) - len(told)
    findings = "; ".join([*told, *([f"and {more} more"] if more else [])])
    return ": ".join(filter(None, [format_fragment(error.detail), findings]))


def format_fragment(text: str) -> str:
    """Make a sentence fit for the middle of a line: begin small, unless with a name, and end without full stop."""
    return _BEGINS_A_SENTENCE.sub(lambda found: found[0].lower(), text, count=1).removesuffix(".")


def _describe_finding(finding: Finding) -> str:
    return f"{finding.pointer or '/'}: {finding.message}" + (f" ({finding.hint})" if finding.hint else "")


def keep_files_private() -> None:
    """Let nobody else on this machine read the database, journal and keys: they hold callers' numbers and secrets."""
    os.umask(0o077)
