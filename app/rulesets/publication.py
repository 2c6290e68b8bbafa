"""Publishes a ruleset that travels with the deployment."""

import json
from collections.abc import Mapping
from pathlib import Path

import structlog

from app.errors import ConflictError, InvalidInputError
from app.routing.lint import lint_ruleset
from app.routing.ruleset import Ruleset, read_ruleset, ruleset_document
from app.routing.wire import ResponseProfile
from app.rulesets.audited_changes import note_revision
from app.rulesets.store import RulesetStore
from app.rulesets.values import compute_checksum

__all__ = ["publish_at_start", "read_ruleset_file", "require_sound"]

log = structlog.get_logger()

_AUTHOR = "deployment"


def read_ruleset_file(path: Path) -> object:
    """Read a ruleset file as JSON; raises InvalidInputError with one line for a file that is missing or broken."""
    try:
        document: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(f"cannot read the ruleset file {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidInputError(f"the ruleset file {path} is not JSON{place}") from error
    return document


def require_sound(document: object, profile: ResponseProfile, *, region: str) -> Ruleset:
    """Read and lint a ruleset; raises InvalidInputError with every error found."""
    ruleset = read_ruleset(document)
    findings = [f for f in lint_ruleset(ruleset, profile, region=region) if f.severity == "error"]
    if findings:
        raise InvalidInputError("the ruleset cannot be published", findings=findings)
    return ruleset


async def publish_at_start(
    document: Mapping[str, object] | object,
    *,
    store: RulesetStore,
    profile: ResponseProfile,
    region: str,
    comment: str,
    now: float,
    replace: bool,
) -> None:
    """Publish the document when it differs from the current revision, or only when there is none (`replace=False`).

    Of several processes that start together one publishes. Raises InvalidInputError and StoreError.
    """
    ruleset = ruleset_document(require_sound(document, profile, region=region))
    current = await store.current()
    if current is not None and (not replace or current.head.checksum == compute_checksum(ruleset)):
        return
    expected = None if current is None else current.head.number
    note = note_revision("ruleset.published", before=expected, author=_AUTHOR, at=now, details={"comment": comment})
    try:
        revision = await store.publish_document(
            ruleset, expected=expected, comment=comment, author=_AUTHOR, now=now, notes=[note]
        )
    except ConflictError:
        log.info("ruleset.published_by_another_process")
        return
    log.info("ruleset.published", revision=revision.head.number, author=_AUTHOR)
