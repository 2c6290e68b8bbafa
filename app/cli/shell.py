"""What commands share with the shell that runs them: errors of one line, and files that are private."""

import os

from app.errors import AppError, Finding
from app.settings.sentences import format_fragment

__all__ = ["describe_error", "keep_files_private"]

_MAX_FINDINGS = 5


def describe_error(error: AppError) -> str:
    """Say what an error says, with the first of its findings."""
    told = [_describe_finding(finding) for finding in error.findings[:_MAX_FINDINGS]]
    more = len(error.findings) - len(told)
    findings = "; ".join([*told, *([f"and {more} more"] if more else [])])
    return ": ".join(filter(None, [format_fragment(error.detail), findings]))


def _describe_finding(finding: Finding) -> str:
    return f"{finding.pointer or '/'}: {finding.message}" + (f" ({finding.hint})" if finding.hint else "")


def keep_files_private() -> None:
    """Let nobody else on this machine read the database, journal and keys: they hold callers' numbers and secrets."""
    os.umask(0o077)
