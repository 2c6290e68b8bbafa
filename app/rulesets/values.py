"""Rulesets as they are kept: published revisions and the drafts of the next one."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import orjson

__all__ = ["Document", "Draft", "Revision", "RevisionHead", "compute_checksum"]

Document = Mapping[str, object]
"""A ruleset as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionHead:
    """What a list says about a revision."""

    number: int
    """1, 2, 3 and so on; never used twice."""
    comment: str
    author: str
    at: float
    """When it was published, in seconds since the epoch."""
    checksum: str
    rollback_of: int | None
    """The revision whose document it brought back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A published ruleset; nothing about it ever changes."""

    head: RevisionHead
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A ruleset somebody is working on."""

    id: str
    name: str
    document: Document
    version: str
    """Random, new with every change, never used twice: the ETag."""
    based_on: int | None
    """The revision it started from."""
    author: str
    """Who changed it last."""
    updated_at: float


def compute_checksum(document: Document) -> str:
    """Fingerprint a document regardless of the order of members and of white space."""
    return sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()
