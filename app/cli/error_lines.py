"""Writes a refusal as one line."""

from app.errors import AppError, Finding
from app.settings.sentences import write_fragment

__all__ = ["describe_error"]

_MOST_FINDINGS = 5


def describe_error(error: AppError) -> str:
    """Say what an error says, with the first of its findings."""
    told = [_describe_finding(finding) for finding in error.findings[:_MOST_FINDINGS]]
    more = len(error.findings) - len(told)
    findings = "; ".join([*told, *([f"and {more} more"] if more else [])])
    return ": ".join(filter(None, [write_fragment(error.detail), findings]))


def _describe_finding(finding: Finding) -> str:
    return f"{finding.pointer or '/'}: {finding.message}" + (f" ({finding.hint})" if finding.hint else "")
