"""Which ruleset is live in a process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.routing.compiled import CompiledRuleset
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.store import RulesetStore
from app.store.database import Database, open_database
from app.store.upgrade import upgrade
from app.web.limits import HeavyWork
from tests.support.service import VIP_RULES, open_service, wait_for

ANNA = "+358501234567"
OPEN_CASES = {
    "rules": [
        {"id": "busy", "when": {"fact": "caller.open_cases", "op": "gt", "value": 0}, "then": {"no_change": True}}
    ]
}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open an empty database."""
    opened = open_database(f"sqlite:///{tmp_path}/rules.db")
    await upgrade(opened)
    yield opened
    await opened.close()


async def publish(database: Database, document: dict[str, Any], expected: int | None) -> None:
    """Publish as another process does."""
    store = RulesetStore(database=database)
    await store.publish_document(document, expected=expected, comment="", author="somebody", now=0.0)


def make_live_ruleset(database: Database, changes: list[CompiledRuleset]) -> LiveRuleset:
    """Make a live ruleset that notes every change."""
    return LiveRuleset(store=RulesetStore(database=database), on_change=changes.append, heavy_work=HeavyWork())


async def test_empty_before_the_first_publishing(database: Database) -> None:
    """Before anything is published there is a ruleset without rules and without a revision."""
    changes: list[CompiledRuleset] = []
    live_ruleset = make_live_ruleset(database, changes)

    assert await live_ruleset.refresh() is False
    assert (live_ruleset.current().revision, live_ruleset.current().ruleset.rules, changes) == (None, (), [])


async def test_new_revision_is_taken_over_once(database: Database) -> None:
    """A refresh takes over what was published, and tells whoever must know what rules need."""
    changes: list[CompiledRuleset] = []
    live_ruleset = make_live_ruleset(database, changes)
    await publish(database, VIP_RULES, None)

    taken = [await live_ruleset.refresh(), await live_ruleset.refresh()]
    await publish(database, OPEN_CASES, 1)
    taken.append(await live_ruleset.refresh())

    assert taken == [True, False, True]
    assert [(rules.revision, rules.selection.open_cases) for rules in changes] == [(1, False), (2, True)]
    assert live_ruleset.current() is changes[-1]


async def test_service_notices_what_another_process_publishes(tmp_path: Path) -> None:
    """It decides by the new revision a moment later."""
    async with open_service(tmp_path) as service:
        database = open_database(f"sqlite:///{tmp_path}/smartrouting.db")
        await publish(database, VIP_RULES, None)
        await database.close()

        async def look() -> bool | None:
            return (await service.call(ANNA)).status_code == 200 or None

        assert await wait_for(look)


async def test_unreadable_revision_is_refused_once(database: Database) -> None:
    """A revision that cannot be read leaves the present one live, and is told once and not every second."""
    live_ruleset = make_live_ruleset(database, [])
    await publish(database, VIP_RULES, None)
    await live_ruleset.refresh()
    await publish(database, OPEN_CASES, 1)
    async with database.write() as connection:
        await connection.execute(text("UPDATE revisions SET document = '{\"schema\": 99}' WHERE number = 2"))

    with capture_logs() as lines:
        taken = [await live_ruleset.refresh() for _ in range(3)]

    assert taken == [False, False, False]
    assert live_ruleset.current().revision == 1
    assert [line["event"] for line in lines] == ["live_ruleset.revision_unreadable"]
