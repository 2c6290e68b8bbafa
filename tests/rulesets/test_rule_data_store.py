"""Switches and tables as the databases keep them."""

from dataclasses import replace

import pytest

from app.errors import ConflictError, NotFoundError, PreconditionFailedError
from app.rulesets.switches.store import StoredSwitch, SwitchStore
from app.rulesets.tables.store import MAX_ALL_BYTES, MAX_TABLES, Counts, TableHead, TableStore, TableVersion
from app.store.audit import AuditStore
from app.store.database import Database

SWITCH = StoredSwitch(name="night", on=True, reason="dark", off_at=None, author="anna", at=1.0)
HEAD = TableHead(
    name="blocked", version=0, key="number", region="FI", columns=("why",), rows=1, size=20, author="anna", at=1.0
)
PARTS = ['[["+358401112233","x"]]', '[["+358401112244",null]]']


async def test_a_switch_is_set_again_and_deleted(database: Database) -> None:
    """The last state counts, and the audit has each one."""
    store = SwitchStore(database=database)
    off = replace(SWITCH, on=False, reason="", author="bo", at=2.0)

    await store.put(SWITCH)
    await store.put(off)
    kept = await store.load()
    await store.delete("night", author="bo", now=3.0)

    assert (kept, await store.load()) == ({"night": off}, {})
    with pytest.raises(NotFoundError):
        await store.delete("night", author="bo", now=3.0)
    page = await AuditStore(database=database).page(limit=10)
    assert [(each.who, each.what, each.at) for each in page.items] == [
        ("bo", "switch.deleted", 3.0),
        ("bo", "switch.set", 2.0),
        ("anna", "switch.set", 1.0),
    ]


async def test_a_table_is_written_whole(database: Database) -> None:
    """Head, parts and history belong together; another version is refused, and a deleted table goes on counting."""
    store = TableStore(database=database)
    first = await store.write(HEAD, PARTS, expected=None, what="put", counts=Counts(added=2))
    for stale in (None, 2):
        with pytest.raises(PreconditionFailedError):
            await store.write(HEAD, PARTS, expected=stale, what="put", counts=Counts())
    second = await store.write(HEAD, PARTS[:1], expected=1, what="put", counts=Counts(removed=1))

    assert (first, second) == (replace(HEAD, version=1), replace(HEAD, version=2))
    assert await store.read("blocked") == (second, PARTS[:1])
    assert await store.list_heads() == {"blocked": second}

    await store.delete("blocked", expected=2, author="bo", now=5.0)
    third = await store.write(HEAD, PARTS, expected=None, what="put", counts=Counts(added=2))

    assert third.version == 4
    history = await store.page_versions("blocked", limit=2, after=None)
    assert (history.items, history.next) == (
        (
            TableVersion(version=4, what="put", rows=1, author="anna", at=1.0, added=2),
            TableVersion(version=3, what="deleted", rows=0, author="bo", at=5.0, removed=1),
        ),
        "3",
    )
    rest = await store.page_versions("blocked", limit=2, after="3")
    assert [each.version for each in rest.items] == [2, 1]


async def test_tables_are_bounded(database: Database) -> None:
    """There are so many tables, and so many bytes in all."""
    store = TableStore(database=database)
    large = replace(HEAD, size=MAX_ALL_BYTES - 10)
    await store.write(large, PARTS, expected=None, what="put", counts=Counts())
    with pytest.raises(ConflictError):
        await store.write(replace(HEAD, name="other"), PARTS, expected=None, what="put", counts=Counts())
    await store.write(HEAD, PARTS, expected=1, what="put", counts=Counts())
    for number in range(MAX_TABLES - 1):
        await store.write(replace(HEAD, name=f"t{number}"), [], expected=None, what="put", counts=Counts())

    with pytest.raises(ConflictError):
        await store.write(replace(HEAD, name="other"), PARTS, expected=None, what="put", counts=Counts())
    assert len(await store.list_heads()) == MAX_TABLES
