"""Writes a refusal as one line."""

from app.errors import AppError, Finding
from app.settings.sentences import format_fragment

__all__ = ["describe_error"]

_MAX_FINDINGS = 5


def describe_error(error: AppError) -> str:
    """Say what an error says, with the first of its findings."""
    told = [_describe_finding(finding) for finding in error.findings[:_MAX_FINDINGS]]
    more = len(error.findings) - len(told)
    findings = "; ".join([*told, *([f"and {more} more"] if more else [])])
    return ": ".join(filter(None, [format_fragment(error.detail), findings]))


def _describe_finding(finding: Finding) -> str:
    return f"{finding.pointer or '/'}: {finding.message}" + (f" ({finding.hint})" if finding.hint else "")
