"""`smartrouting demo-traffic`: a day of calls for the demo's reports."""

import json
from pathlib import Path

import httpx

from tests.support.console import Console

CALLS = 60


def test_a_day_of_calls_is_in_the_reports(console: Console, tmp_path: Path) -> None:
    """Every call is answered and counted; some callers are recognised, some not, and some calls get instructions."""
    with console.serve_demo(tmp_path) as (url, _):
        day = ("demo-traffic", "--url", url, "--calls", str(CALLS), "--seconds", "0", "--seed", "3")
        ended = console.run(tmp_path, *day)
        key = json.loads((tmp_path / "data" / "demo-keys.json").read_text(encoding="utf-8"))["admin"]
        calls, recognition = (_wait_for_report(url, key, name) for name in ("calls", "recognition"))
    assert ended.status == 0, ended.err
    told, where = ended.out.splitlines()
    instructed, stay = calls["redirected"] + calls["disconnected"], calls["no_change"]
    # One call more finds out whether the key is right.
    assert told == f"{CALLS} calls: {instructed} got instructions, {stay - 1} stay where they are"
    assert where == f"What became of them: {url}/admin/reports/calls"
    assert all(recognition[status] for status in ("identified", "unknown", "withheld", "vip"))


def test_without_a_demo_it_says_what_to_do(console: Console, tmp_path: Path) -> None:
    """A missing key, and a service that does not answer, are one line each."""
    nowhere = console.run(tmp_path, "demo-traffic")
    silent = console.run(tmp_path, "demo-traffic", "--url", "http://127.0.0.1:1", "--key", "some-key")
    assert (nowhere.status, silent.status) == (1, 1)
    assert nowhere.err == (
        "smartrouting: there is no key of a demo in data/demo-keys.json: start the demo with `make run` in this "
        "folder, or give --key\n"
    )
    assert silent.err == (
        "smartrouting: nobody answers at http://127.0.0.1:1: start the demo with `make run`, or give --url\n"
    )


def _wait_for_report(url: str, key: str, report: str) -> dict[str, int]:
    """Return the sums of a report once every call is counted; that takes a moment."""
    for _ in range(200):
        answer = httpx.get(f"{url}/admin/reports/{report}", headers={"Authorization": f"Bearer {key}"}, timeout=30.0)
        rows = answer.json()["rows"]
        if sum(row["calls"] for row in rows) == CALLS + 1:
            return {name: sum(row[name] for row in rows) for name in rows[0] if isinstance(rows[0][name], int)}
    raise AssertionError("not all calls were counted")
