"""Following decisions as they are made."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import event

from app.calls.decision_feed import DecisionFeed, News
from app.calls.store import DecisionFilter, DecisionStore
from app.store.database import Database
from app.web.limits import HeavyWork
from tests.support.console import Console
from tests.support.records import NOON, make_id, make_record
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, WEBHOOK_KEY

SETTINGS = {
    "SMARTROUTING_ADMIN__API_KEYS": json.dumps(
        {
            "anna": {"key": ADMIN_KEY, "role": "Voice Admin User"},
            "script": {"key": PROGRAM_KEY, "role": "Voice ApiUser"},
        }
    ),
    "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"queue": WEBHOOK_KEY}),
    "SMARTROUTING_WEBHOOK__DEADLINE_MS": "4900",
}
PATH = "/admin/decisions/events"
ANY = DecisionFilter()


class Leaving:
    """Whether the process is about to end."""

    begun = False


async def take(news: AsyncIterator[News], feed: DecisionFeed) -> News | None:
    """Let the feed read once and return what is told of it; `None` when nothing is."""
    waiting = asyncio.ensure_future(anext(news, None))
    await settle()
    await feed.read()
    await settle()
    if waiting.done():
        return waiting.result()
    waiting.cancel()
    return None


async def settle() -> None:
    """Let everything go on that is ready."""
    for _ in range(5):
        await asyncio.sleep(0)


def make_feed(database: Database, leaving: Leaving | None = None) -> tuple[DecisionFeed, DecisionStore]:
    """Make a feed at noon, and the store that it reads."""
    store = DecisionStore(database=database)
    left = leaving or Leaving()
    feed = DecisionFeed(
        decisions=store,
        write=lambda summary: summary.id.encode(),
        heavy_work=HeavyWork(),
        clock=lambda: NOON,
        is_leaving=lambda: left.begun,
    )
    return feed, store


async def test_news_are_what_came_since_and_is_wanted(database: Database) -> None:
    """In the order in which it reached the log, also when another process's record comes late."""
    feed, store = make_feed(database)
    await store.add([make_record(NOON - 1, target_id="before")])
    async with feed.watch(DecisionFilter(rule="vip"), role="", after=None) as news:
        first = await anext(news)
        await store.add([make_record(NOON, target_id="a"), make_record(NOON, rule="other")])
        second = await take(news, feed)
        await store.add([make_record(NOON - 20, target_id="late"), make_record(NOON + 1, target_id="b")])
        third = await take(news, feed)

    assert first == News(())
    assert second is not None
    assert third is not None
    assert [[item.summary.target_id for item in each.items] for each in (second, third)] == [["a"], ["late", "b"]]


async def test_news_go_on_behind_a_decision(database: Database) -> None:
    """What was decided while nobody watched is told first, and nothing twice."""
    feed, store = make_feed(database)
    last = make_record(NOON - 20)
    await store.add([last, make_record(NOON - 10, target_id="missed")])
    async with feed.watch(ANY, role="", after=last.id) as news:
        first = await anext(news)
        await store.add([make_record(NOON, target_id="new")])
        second = await take(news, feed)

    assert [item.summary.target_id for item in first.items] == ["missed"]
    assert second is not None
    assert [item.summary.target_id for item in second.items] == ["new"]


async def test_more_than_is_told_is_a_gap(database: Database) -> None:
    """At once, or before the first news."""
    feed, store = make_feed(database)
    async with feed.watch(ANY, role="", after=None) as news:
        await anext(news)
        await store.add([make_record(NOON + number / 100) for number in range(201)])
        told = await take(news, feed)
    async with feed.watch(ANY, role="", after=make_id(NOON - 1)) as news:
        first = await anext(news)

    assert told is not None
    assert (len(told.items), told.complete, len(first.items), first.complete) == (200, False, 200, False)


async def test_watcher_that_is_slow_learns_of_the_gap(database: Database) -> None:
    """Only the last reads are kept, so that what is erased does not stay."""
    feed, store = make_feed(database)
    async with feed.watch(ANY, role="", after=None) as news:
        await anext(news)
        for number in range(12):
            await store.add([make_record(NOON + number / 100, target_id=str(number))])
            await feed.read()
        told = await take(news, feed)

    assert told is not None
    assert not told.complete
    assert [item.summary.target_id for item in told.items] == [str(number) for number in range(3, 12)]


async def test_however_many_watch_the_log_is_read_once(database: Database) -> None:
    """And not at all when nobody does."""
    feed, store = make_feed(database)
    with count_reads(database) as reads:
        await feed.read()
        unwatched = len(reads)
        async with feed.watch(ANY, role="", after=None) as one, feed.watch(ANY, role="", after=None) as other:
            opened = len(reads)
            await anext(one)
            await anext(other)
            await store.add([make_record(NOON)])
            await feed.read()
            watched = len(reads) - opened

    assert (unwatched, watched) == (0, 1)


async def test_silence_has_signs_of_life(database: Database) -> None:
    """Every fifteenth look at the log is told of, whatever it found."""
    feed, _ = make_feed(database)
    async with feed.watch(ANY, role="", after=None) as news:
        await anext(news)
        waiting = asyncio.ensure_future(anext(news))
        turns = 0
        while not waiting.done():
            turns += 1
            await settle()
            await feed.read()
            await settle()

    assert (waiting.result(), turns) == (News([]), 15)


async def test_news_end_with_the_process(database: Database) -> None:
    """As soon as it is about to end."""
    leaving = Leaving()
    feed, _ = make_feed(database, leaving)
    async with feed.watch(ANY, role="", after=None) as news:
        await anext(news)
        leaving.begun = True
        await take(news, feed)
        ended = await anext(news, None)

    assert ended is None


@contextmanager
def count_reads(database: Database) -> Iterator[list[str]]:
    """Count what is asked of the decision log."""
    reads: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT") and "FROM decisions" in statement:
            reads.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield reads
    event.remove(engine, "before_cursor_execute", note)


def test_stream_tells_calls_masked_and_ends_with_the_process(console: Console, tmp_path: Path) -> None:
    """A call is an event within seconds, goes on behind the last one, and SIGTERM ends the stream as it should end."""
    with console.serve_demo(tmp_path, **SETTINGS) as (url, process), open_client(url, ADMIN_KEY) as client:
        with client.stream("GET", PATH, params={"target_id": "WATCHED"}) as stream:
            lines = stream.iter_lines()
            opened = [next(lines), next(lines), next(lines)]
            call(client, targetid="OTHER")
            call(client, targetid="WATCHED")
            seen = read_event(lines)
        call(client, targetid="WATCHED")
        last = {"Last-Event-ID": seen["id"]}
        with client.stream("GET", PATH, params={"target_id": "WATCHED"}, headers=last) as again:
            lines = again.iter_lines()
            [next(lines), next(lines), next(lines)]
            behind = read_event(lines)
            process.send_signal(signal.SIGTERM)
            rest = list(lines)
        status = process.wait(60)

    assert (stream.headers["Content-Type"], opened) == (
        "text/event-stream; charset=utf-8",
        [": open", "retry: 3000", ""],
    )
    assert (seen["event"], seen["data"]["id"], seen["data"]["caller"]) == ("decision", seen["id"], "+35850*****67")
    assert behind["id"] > seen["id"]
    assert [line for line in rest if line.startswith("data")] == []
    assert status == 0


def test_who_watches_is_judged_as_in_the_list(console: Console, tmp_path: Path) -> None:
    """Looking for a number needs the role that may see it and is noted; streams of a role are bounded."""
    number = {"caller": "+358501234567"}
    with (
        console.serve_demo(tmp_path, **SETTINGS) as (url, _),
        open_client(url, ADMIN_KEY) as admin,
        open_client(url, PROGRAM_KEY) as program,
    ):
        refused = program.get(PATH, params=number)
        nonsense = program.get(PATH, params={"reveal": "true"})
        with admin.stream("GET", PATH, params=number) as watching:
            noted = admin.get("/admin/audit", params={"what": "decisions.searched"}).json()["items"]
        streams = [program.send(program.build_request("GET", PATH), stream=True) for _ in range(21)]
        statuses = [stream.status_code for stream in streams]
        for stream in streams:
            stream.close()

    assert (refused.status_code, nonsense.status_code, watching.status_code) == (403, 422, 200)
    assert [entry["who"] for entry in noted] == ["anna"]
    assert statuses == [200] * 20 + [429]


@contextmanager
def open_client(url: str, key: str) -> Iterator[httpx.Client]:
    """Ask as the holder of a key."""
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, limits=limits) as client:
        yield client


def call(client: httpx.Client, **members: object) -> None:
    """Let the queue ask about a call."""
    payload = {"anum": "+358501234567", "bnum": "+358912345678", **members}
    client.post("/smartrouting", json=payload, headers={"X-Benemen-APIKey": WEBHOOK_KEY}).raise_for_status()


def read_event(lines: Iterator[str]) -> dict[str, Any]:
    """Read lines up to the end of an event; heartbeats are none."""
    found: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name:
            found[name] = json.loads(value) if name == "data" else value
        elif "data" in found:
            break
    return found
