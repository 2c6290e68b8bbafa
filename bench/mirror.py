"""The mirror at full size: first load, index reads, cold callers, changes, a restart, and a CRM that is away."""

import asyncio
import json
import os
import random
import sqlite3
import tempfile
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from app.directory.mirror.store import MirrorStore
from app.emulators.dataverse import TOKEN
from app.store.database import open_database
from bench.callers import Answer, Caller, percentile
from bench.cold import make_environment
from bench.output import write
from bench.server import CLIENT_CORE, SERVER_CORE, Running, measure_processor, serve_process
from bench.stampede import measure_process

__all__ = ["main"]

_CONCURRENT = 50
_READS = 5_000
_CHANGES = 1_000
_LATE_MS = 1500
_DAY = 50_000
_PEOPLE = 20_000
"""Numbers that call on the Zipf day, with the exponent 1.1; one call in two hundred is from a stranger."""
_STRANGERS = 0.005
_CHUNK = 5_000
_RULES = {
    "destinations": {"vip-queue": {"kind": "queue", "id": "queue-of-vips"}, "sales": {"kind": "queue", "id": "sales"}},
    "rules": [
        {"id": "vip", "when": {"fact": "caller.vip", "op": "is", "value": True}, "then": {"redirect": "vip-queue"}},
        {
            "id": "known",
            "when": {"fact": "caller.status", "op": "in", "value": ["identified", "ambiguous"]},
            "then": {"redirect": "sales"},
        },
    ],
}


def main(arguments: list[str]) -> None:
    """Measure with `--contacts` (1,000,000 unless said) and a tenth as many accounts, in SQLite or in `--store`."""
    parser = ArgumentParser(prog="python -m bench mirror")
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--store", help="URL of an empty PostgreSQL database; SQLite unless said")
    parser.add_argument("--calls", type=int, default=20_000, help="cold calls, at most as many as there are numbers")
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {CLIENT_CORE})
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), options.contacts, options.store or f"sqlite:///{folder}/bench.db", options.calls)


def _measure(folder: Path, contacts: int, store: str, calls: int) -> None:
    crm_command = ["app.cli", "emulate", "dataverse", "--port", "{port}"]
    crm_command += ["--contacts", str(contacts), "--accounts", str(contacts // 10)]
    with serve_process(crm_command, "/_emulator/clock", {}, core=CLIENT_CORE, seconds=600) as crm:
        environment = _make_environment(folder, crm.url, store)
        with _serve(environment) as running:
            _load(running, crm.url)
            numbers = asyncio.run(_read_numbers(store))
            uvloop.run(_press(running.url, iter(numbers[-500:]), 500))
            _measure_cold(running, crm.url, numbers[:calls])
            _measure_changes(running, crm.url)
        asyncio.run(_measure_reads(store, numbers))
        _measure_restart(environment, numbers)
        _measure_day(environment, crm.url, numbers, name="mirrored")
        live = _make_environment(folder / "live", crm.url, f"sqlite:///{folder}/live/bench.db")
        _measure_day(live | {"SMARTROUTING_DATAVERSE__DIRECTORY": "live"}, crm.url, numbers, name="live")
    _measure_outage(environment, _find_vips(store))


def _make_environment(folder: Path, crm: str, store: str) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    environment = make_environment(folder, crm)
    (folder / "rules.json").write_text(json.dumps(_RULES), encoding="utf-8")
    return environment | {
        "SMARTROUTING_DATAVERSE__TOKEN": TOKEN,
        "SMARTROUTING_DATAVERSE__DIRECTORY": "mirror",
        "SMARTROUTING_DATAVERSE__MIRROR_POLL_SECONDS": "1",
        "SMARTROUTING_STORE__URL": store,
    }


@contextmanager
def _serve(environment: dict[str, str]) -> Iterator[Running]:
    with serve_process(["app.cli", "serve"], "/health/ready", environment, core=SERVER_CORE) as running:
        yield running


def _load(running: Running, crm: str) -> None:
    """Wait for the first load while a few people call."""
    started, processor = time.perf_counter(), measure_processor(running.process.pid)
    memory, _ = measure_process(running.process.pid)
    answers = asyncio.run(_call_while_loading(running.url))
    seconds, processor = time.perf_counter() - started, measure_processor(running.process.pid) - processor
    after, _ = measure_process(running.process.pid)
    rows = _ask(f"{crm}/_emulator/state")["rows"]
    records = rows["contacts"] + rows["accounts"]
    write(
        f"first load: {records} records in {seconds:.1f} s, {records / seconds:.0f} a second; "
        f"{records / processor:.0f} for each second of the service's processor"
    )
    write(f"memory: {memory:.0f} MB before, {after:.0f} MB after, growth {after - memory:.0f} MB")
    _report("calls beside the first load", answers)


async def _call_while_loading(url: str) -> list[Answer]:
    answers = []
    async with Caller(url) as caller:
        while await asyncio.to_thread(_read_metric, url, "smartrouting_mirror_state") != 1:
            for _ in range(5):
                answers.append(await caller.call(f"+35840{random.randrange(10_000_000):07}"))  # noqa: S311
                await asyncio.sleep(0.1)
    return answers


async def _read_numbers(store: str) -> list[str]:
    """Read the numbers in the index, in random order."""
    database = open_database(store)
    async with database.read() as connection:
        rows = await connection.exec_driver_sql("SELECT DISTINCT e164 FROM mirror_numbers")
        numbers = [row.e164 for row in rows]
    await database.close()
    random.Random(1).shuffle(numbers)  # noqa: S311
    return numbers


def _measure_cold(running: Running, crm: str, numbers: Sequence[str]) -> None:
    before, requests = measure_processor(running.process.pid), _count_look_ups(crm)
    answers = uvloop.run(_press(running.url, iter(numbers), len(numbers)))
    spent = (measure_processor(running.process.pid) - before) / len(numbers) * 1000
    asked = _count_look_ups(crm) - requests
    recognised = sum(answer.status == 200 for answer in answers)  # noqa: PLR2004
    _report(f"cold callers, {_CONCURRENT} at once", answers, f"   {recognised} recognised, {asked} Dataverse requests")
    write(f"processor {spent:.2f} ms per cold call")


def _measure_changes(running: Running, crm: str) -> None:
    """Change a thousand contacts at once, and measure until the last of them is in the index."""
    rows = [
        {"contactid": f"f0000000-0000-4000-8000-{index:012}", "fullname": "New", "mobilephone": f"+35845{index:07}"}
        for index in range(_CHANGES)
    ]
    before = _read_metric(running.url, "smartrouting_mirror_changes_total")
    _put(f"{crm}/_emulator/rows", {"contacts": rows})
    while _read_metric(running.url, "smartrouting_mirror_changes_total") < before + _CHANGES:
        time.sleep(0.05)
    seconds = _read_metric(running.url, "smartrouting_mirror_changes_seconds")
    write(f"{_CHANGES} changes: applied in {seconds:.2f} s, from the question to the commit")


async def _measure_reads(store: str, numbers: Sequence[str]) -> None:
    database = open_database(store)
    index = MirrorStore(database=database)
    generation = (await index.list_generations())[-1].number
    for number in numbers[:500]:
        await index.find(generation, [number], depth=3)
    for size in (1, _CONCURRENT):
        times = []
        for start in range(0, min(_READS, len(numbers) - size), 1 if size == 1 else size):
            began = time.perf_counter()
            await index.find(generation, numbers[start : start + size], depth=3)
            times.append((time.perf_counter() - began) * 1000)
        slow = percentile(times, 0.99)
        write(f"index read of {size:2}: p50 {percentile(times, 0.5):.2f} ms   p99 {slow:.2f} ms")
    await index.aclose()
    await database.close()


def _measure_restart(environment: dict[str, str], numbers: Sequence[str]) -> None:
    started = time.perf_counter()
    with _serve(environment) as running:
        ready = time.perf_counter() - started
        answer = uvloop.run(_press(running.url, iter(numbers[:1]), 1))[0]
        recognised = _read_metric(running.url, 'smartrouting_mirror_lookups_total{result="hit"}')
        write(
            f"restart: ready in {ready:.1f} s; the first call took {answer.milliseconds:.1f} ms ({recognised:.0f} hit)"
        )


def _measure_day(environment: dict[str, str], crm: str, numbers: Sequence[str], *, name: str) -> None:
    """Let callers call as people do, few often and many once: the ones the index knows, and some strangers."""
    source = random.Random(7)  # noqa: S311
    people = numbers[:_PEOPLE]
    weights = [1 / rank**1.1 for rank in range(1, len(people) + 1)]
    called = source.choices(people, weights, k=_DAY)
    called = [f"+35846{source.randrange(10_000_000):07}" if source.random() < _STRANGERS else n for n in called]
    requests, answers = 0, []
    with _serve(environment) as running:
        for start in range(0, _DAY, _CHUNK):
            _clear(f"{crm}/_emulator/requests")
            answers += uvloop.run(_press(running.url, iter(called[start : start + _CHUNK]), _CHUNK))
            requests += _count_look_ups(crm)
    _report(f"Zipf day, {name}", answers, f"   {requests / _DAY:.4f} Dataverse requests per call")


def _measure_outage(environment: dict[str, str], vips: Sequence[str]) -> None:
    """Call with every VIP number while nothing listens where Dataverse was."""
    with _serve(environment) as running:
        answers = uvloop.run(_press(running.url, iter(vips), len(vips)))
        hits = _read_metric(running.url, 'smartrouting_mirror_lookups_total{result="hit"}')
    recognised = sum(answer.status == 200 for answer in answers)  # noqa: PLR2004
    _report("CRM down", answers, f"   {recognised} of {len(vips)} VIP numbers recognised, {hits:.0f} from the index")


def _find_vips(store: str) -> list[str]:
    """List numbers of preferred customers and of the people who work for them."""
    if not store.startswith("sqlite:///"):
        return []
    with sqlite3.connect(store.removeprefix("sqlite:///")) as connection:
        statement = """
            SELECT DISTINCT n.e164 FROM mirror_records a
            JOIN mirror_records r ON r.generation = a.generation AND (r.parent = a.id OR r.id = a.id)
            JOIN mirror_numbers n ON n.generation = r.generation AND n.kind = r.kind AND n.id = r.id
            WHERE a.kind = 'account' AND a.active AND json_extract(a.data, '$.columns.accountcategorycode') = 1
            ORDER BY n.e164 LIMIT 5000
        """
        return [row[0] for row in connection.execute(statement)]


async def _press(url: str, numbers: Iterator[str], calls: int) -> list[Answer]:
    """Have each of fifty callers call again as soon as it was answered."""
    left = iter(range(calls))

    async def call_in_a_row() -> list[Answer]:
        async with Caller(url) as caller:
            return [await caller.call(next(numbers)) for _ in left]

    rows = await asyncio.gather(*(call_in_a_row() for _ in range(min(_CONCURRENT, calls))))
    return [answer for row in rows for answer in row]


def _report(name: str, answers: Sequence[Answer], more: str = "") -> None:
    times = [answer.milliseconds for answer in answers]
    failed = sum(answer.status not in {200, 204} for answer in answers)
    late = sum(milliseconds > _LATE_MS for milliseconds in times)
    write(
        f"{name}: {len(answers)} calls, {failed} failed, {late} late   p50 {percentile(times, 0.5):.1f} ms   "
        f"p99 {percentile(times, 0.99):.1f} ms   most {max(times):.1f} ms{more}"
    )


def _count_look_ups(crm: str) -> int:
    """Count the latest questions of calls; the mirror's own carry a token or none of their filters."""
    return sum("$filter" in request["options"] for request in _ask(f"{crm}/_emulator/requests"))


def _read_metric(url: str, name: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:  # noqa: S310 - loopback
        for line in answer.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
    return 0.0


def _ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read())


def _put(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="PUT")  # noqa: S310 - loopback
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310


def _clear(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=60).close()  # noqa: S310
