"""Rulesets that travel with the deployment."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from app.errors import InvalidInputError
from app.routing.wire import FieldSpelling, ResponseProfile, Shape
from app.rulesets.publish import publish_at_start, read_ruleset_file, require_sound
from app.rulesets.store import RulesetStore
from app.store.database import Database, open_database
from app.store.upgrade import upgrade
from tests.support.service import VIP_RULES

OTHER = {"rules": [{"id": "none", "then": {"no_change": True}}]}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open an empty database."""
    opened = open_database(f"sqlite:///{tmp_path}/rules.db")
    await upgrade(opened)
    yield opened
    await opened.close()


async def publish(database: Database, document: Mapping[str, object], *, replace: bool = True) -> int | None:
    """Publish at a start, and return the current revision."""
    store = RulesetStore(database=database)
    await publish_at_start(
        document, store=store, profile=ResponseProfile(), region="FI", comment="start", now=5.0, replace=replace
    )
    return await store.current_number()


async def test_only_a_difference_is_published(database: Database) -> None:
    """The same document again is no new revision, however it is written; another one is."""
    assert await publish(database, VIP_RULES) == 1
    assert await publish(database, dict(reversed(VIP_RULES.items()))) == 1
    assert await publish(database, OTHER) == 2
    assert await publish(database, VIP_RULES) == 3


async def test_sample_never_replaces_anything(database: Database) -> None:
    """What must not replace is published only where nothing is."""
    assert await publish(database, OTHER, replace=False) == 1
    assert await publish(database, VIP_RULES, replace=False) == 1


async def test_revision_says_where_it_came_from(database: Database) -> None:
    """The revision carries comment, author and time."""
    await publish(database, VIP_RULES)

    current = await RulesetStore(database=database).current()

    assert current is not None
    assert (current.head.comment, current.head.author, current.document) == ("start", "deployment", VIP_RULES)


async def test_unsound_rules_leave_the_old_ones(database: Database) -> None:
    """Rules that cannot be published are refused with every finding, and nothing changes."""
    await publish(database, OTHER)
    broken = VIP_RULES | {"rules": [{"id": "a", "then": {"redirect": "nowhere", "on_fail": "neither"}}]}

    with pytest.raises(InvalidInputError) as caught:
        await publish(database, broken)

    assert {finding.pointer for finding in caught.value.findings} == {"/rules/0/then/redirect", "/rules/0/then/on_fail"}
    assert await RulesetStore(database=database).current_number() == 1


def test_field_without_a_wire_key_is_refused() -> None:
    """A field the profile cannot spell is an error; with a spelling it is not."""
    document = VIP_RULES | {"rules": [{"id": "a", "then": {"redirect": "vip-queue", "extra_priority": 10}}]}
    profile = ResponseProfile(fields={"extra_priority": FieldSpelling("Prio", Shape.NUMBER)})

    with pytest.raises(InvalidInputError) as caught:
        require_sound(document, ResponseProfile(), region="FI")

    assert [finding.rule for finding in caught.value.findings] == ["a"]
    assert require_sound(document, profile, region="FI").rules[0].then.extra_priority == 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the ruleset file"),
        (b"{", r"is not JSON \(line 1, column 2\)"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_broken_file_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    """A file that is missing, no text, no JSON or nested beyond measure is told in one line with its name."""
    file = tmp_path / "rules.json"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidInputError, match=message) as caught:
        read_ruleset_file(file)

    assert str(file) in caught.value.detail
    assert "\n" not in caught.value.detail


def test_file_is_read(tmp_path: Path) -> None:
    """A file of JSON comes back as it is."""
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(VIP_RULES), encoding="utf-8")

    assert read_ruleset_file(file) == VIP_RULES
