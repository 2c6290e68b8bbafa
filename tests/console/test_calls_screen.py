"""What people do with calls in the console, in a real browser."""

import json
import secrets
import signal
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, expect

from tests.console.conftest import SETTINGS, Desk
from tests.support.browser import Visit, visit
from tests.support.console import Console
from tests.support.service import ADMIN_KEY, USER_KEY

PAYLOADS: list[str] = json.loads((Path(__file__).parents[1] / "data" / "markup.json").read_text(encoding="utf-8"))


def test_one_call_is_found_and_explained(seen: Visit, desk: Desk) -> None:
    """From signing in to the rule that decided, and nothing on the way is wrong for a screen reader."""
    desk.call(targetid="FOUND_QUEUE")
    seen.open("#calls?target_id=FOUND_QUEUE")
    judged = seen.judge_accessibility()
    seen.sign_in(ADMIN_KEY)
    seen.sees("by the rule “vip”")
    judged += seen.judge_accessibility()
    seen.page.locator("main table a").click()
    seen.sees("decided this call")
    judged += seen.judge_accessibility()

    assert judged == []
    decided = seen.page.locator("li.decided")
    expect(decided).to_contain_text("VIP callers skip the line")
    expect(decided).to_contain_text("caller.vip is true; actual: true; true")
    expect(seen.page.locator("pre")).to_have_text(
        '{"InitialTarget":"1a89fc22-517a-e611-80c9-00505689257e","FailTarget":"+358401234567"}'
    )
    expect(seen.page.locator("main")).not_to_contain_text("+358501234567")


def test_everything_is_reached_by_keyboard(seen: Visit, desk: Desk) -> None:
    """Sign in, filter, and open a call without a mouse; the focus goes to the screen that was opened."""
    desk.call(targetid="KEYBOARD_QUEUE")
    seen.open()
    keyboard = seen.page.keyboard
    seen.page.locator("input[type=password]:focus").wait_for()
    keyboard.type(ADMIN_KEY)
    keyboard.press("Enter")
    seen.page.locator("main:focus").wait_for()
    target = seen.page.get_by_label("Target id")
    press_tab_until(seen, target)
    keyboard.type("KEYBOARD_QUEUE")
    keyboard.press("Enter")
    seen.page.wait_for_url("**#calls?target_id=KEYBOARD_QUEUE")
    seen.page.locator("main:focus").wait_for()
    link = seen.page.locator("main table a")
    expect(link).to_have_count(1)
    press_tab_until(seen, link)
    keyboard.press("Enter")
    seen.sees("decided this call")


def press_tab_until(seen: Visit, wanted: Locator) -> None:
    """Move the focus there with the keyboard."""
    for _ in range(100):
        seen.page.keyboard.press("Tab")
        if wanted.evaluate("(field) => field === document.activeElement"):
            return
    raise AssertionError("the keyboard does not get there")


def test_calls_appear_as_they_are_decided_until_paused(seen: Visit, desk: Desk) -> None:
    """A paused list stays as it is, also after a reload, and catches up when it goes on."""
    seen.open("#calls?target_id=LIVE_QUEUE")
    seen.sign_in(ADMIN_KEY)
    seen.sees("No call matches.")
    rows = seen.page.locator("main tbody tr")
    desk.call(targetid="LIVE_QUEUE", anum="+358401112233")
    expect(rows).to_have_count(1)
    desk.call(targetid="LIVE_QUEUE", anum="+358501234567")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("by the rule “vip”")
    seen.page.get_by_label("Pause").check()
    desk.call(targetid="LIVE_QUEUE")
    desk.wait_for_calls(3, target_id="LIVE_QUEUE")
    expect(rows).to_have_count(2)
    assert seen.page.url.endswith("#calls?target_id=LIVE_QUEUE&paused=1")
    seen.page.get_by_label("Pause").uncheck()
    expect(rows).to_have_count(3)
    assert seen.judge_accessibility() == []


def test_filters_are_in_the_address(seen: Visit, desk: Desk) -> None:
    """What is chosen is what is shown, and a copied address shows the same."""
    desk.call(targetid="FILTERED_QUEUE", anum="+358401112233")
    desk.call(targetid="FILTERED_QUEUE", anum="+358501234567")
    seen.open("#calls")
    seen.sign_in(ADMIN_KEY)
    seen.page.get_by_label("Target id").fill("FILTERED_QUEUE")
    seen.page.get_by_label("Outcome").select_option("Redirected")
    seen.page.get_by_label("From").fill("2026-01-01T00:00")
    seen.page.get_by_role("button", name="Filter").click()
    seen.page.wait_for_url("**#calls?outcome=redirect&target_id=FILTERED_QUEUE&since=2026-01-01T00%3A00")
    expect(seen.page.locator("main tbody tr")).to_have_count(1)
    seen.page.get_by_label("Until").fill("2026-01-02T00:00")
    seen.page.get_by_role("button", name="Filter").click()
    seen.sees("No call matches.")
    expect(seen.page.get_by_label("Pause")).to_have_count(0)


def test_call_is_tried_with_a_draft_and_becomes_its_test(seen: Visit, desk: Desk) -> None:
    """The draft decides the recorded call, near misses say what was missing, and the test is in the draft."""
    desk.call(targetid="TRIED_QUEUE", anum="+358401112233")
    desk.wait_for_calls(1, target_id="TRIED_QUEUE")
    ruleset = desk.get("/admin/rulesets/current").json()["document"]
    rule = {"id": "end", "name": "Ends here", "when": {"fact": "call.target_id", "op": "is", "value": "TRIED_QUEUE"}}
    changed = ruleset | {"rules": [rule | {"then": {"disconnect": True}}, *ruleset["rules"]]}
    made = desk.post("/admin/rulesets/drafts", json={"name": "<b>Trial</b>", "document": changed})
    made.raise_for_status()
    seen.open("#calls?target_id=TRIED_QUEUE")
    seen.sign_in(ADMIN_KEY)
    seen.page.locator("main table a").click()
    seen.sees("Near miss:")
    expect(seen.page.locator("li", has_text="VIP callers skip the line").locator(".miss")).to_contain_text("caller.vip")
    seen.page.get_by_label("Draft").select_option("<b>Trial</b>")
    seen.page.get_by_role("button", name="Try with the draft").click()
    seen.sees("The draft decides this call otherwise: Ends here.")
    seen.page.get_by_role("button", name="Make a test").click()
    expect(seen.page.locator("#status")).to_contain_text("was added to the draft")
    assert seen.judge_accessibility() == []
    tests = desk.get(f"/admin/rulesets/{made.json()['ref']}").json()["document"]["tests"]
    assert len(tests) == len(ruleset.get("tests", [])) + 1


def test_what_callers_send_is_shown_as_text(seen: Visit, desk: Desk) -> None:
    """No payload becomes markup, in the list or in a call, in either language."""
    for payload in PAYLOADS:
        desk.call(targetid=payload, bnum=payload)
    seen.open("#calls")
    seen.sign_in(ADMIN_KEY)
    seen.sees(PAYLOADS[0])
    listed = seen.page.locator("main td").all_text_contents()
    row = seen.page.locator("tr", has=seen.page.get_by_text(PAYLOADS[0], exact=True))
    row.locator("a").first.click()
    seen.sees("Waterfall")
    seen.page.get_by_label("Language").select_option("fi")
    seen.sees("Ajankäyttö")

    assert set(PAYLOADS) - set(listed) == set()
    assert seen.page.locator("main td").all_text_contents().count(PAYLOADS[0]) == 2
    assert seen.page.evaluate("window.hit") is None
    assert seen.page.locator("main :is(img, script, iframe, svg:not(.time), object, embed, style)").count() == 0


def test_who_may_not_read_decisions_is_told(seen: Visit) -> None:
    """A Voice User signs in, and learns why there is nothing to see."""
    seen.open("", "fi")
    seen.sign_in(USER_KEY)

    seen.sees("Roolisi Voice User ei saa nähdä tätä.")
    assert seen.judge_accessibility() == []


def test_wrong_key_is_told_at_once(seen: Visit) -> None:
    """Nothing else is asked with it, and the field is ready for the next."""
    seen.open()
    seen.page.locator("input[type=password]").fill("nobodys-key")
    seen.page.keyboard.press("Enter")
    expect(seen.page.locator("#status.error")).not_to_be_empty()
    expect(seen.page.locator("input[type=password]")).to_be_focused()
    assert seen.noticed.pop().endswith("401 (Unauthorized)")


def test_key_that_is_no_longer_valid_is_asked_for_again(browser: Browser, console: Console, tmp_path: Path) -> None:
    """The screen asks no more with it, and the next key opens the same place."""
    new_key = secrets.token_hex(16)
    keys = json.dumps({"anna": {"key": new_key, "role": "Voice Admin User"}})
    asked: list[str] = []
    with console.serve_demo(tmp_path, **SETTINGS) as (url, process), visit(browser, url) as seen:
        seen.page.clock.install()
        seen.open("#calls?outcome=redirect")
        seen.sign_in(ADMIN_KEY)
        seen.sees("No call matches.")
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        changed = {"SMARTROUTING_ADMIN__API_KEYS": keys, "SMARTROUTING_PORT": url.rpartition(":")[2]}
        with console.serve_demo(tmp_path, **{**SETTINGS, **changed}):
            seen.page.locator("input[type=password]").wait_for()
            expect(seen.page.locator("#status.error")).not_to_be_empty()
            seen.page.on("request", lambda request: asked.append(urlsplit(request.url).path))
            seen.page.clock.fast_forward(60_000)
            seen.sign_in(new_key)
            seen.sees("No call matches.")
            place = seen.page.url
            seen.page.close()
            seen.noticed.clear()

    assert place.endswith("#calls?outcome=redirect")
    assert asked[:2] == ["/admin/me", "/admin/decisions"]
