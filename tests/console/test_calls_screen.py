"""What people do with calls in the console, in a real browser."""

import json
import secrets
import signal
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect

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
    while not target.evaluate("(field) => field === document.activeElement"):
        keyboard.press("Tab")
    keyboard.type("KEYBOARD_QUEUE")
    keyboard.press("Enter")
    seen.page.wait_for_url("**#calls?target_id=KEYBOARD_QUEUE")
    seen.page.locator("main:focus").wait_for()
    link = seen.page.locator("main table a")
    expect(link).to_have_count(1)
    while not link.evaluate("(field) => field === document.activeElement"):
        keyboard.press("Tab")
    keyboard.press("Enter")
    seen.sees("decided this call")


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
    assert seen.page.locator("main :is(img, script, iframe, svg, object, embed, style)").count() == 0


def test_who_may_not_read_decisions_is_told(seen: Visit) -> None:
    """A Voice User signs in, and learns why there is nothing to see."""
    seen.open("", "fi")
    seen.sign_in(USER_KEY)

    seen.sees("Roolisi ei saa lukea päätöksiä.")
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
        seen.noticed.clear()

    assert place.endswith("#calls?outcome=redirect")
    assert asked[:2] == ["/admin/me", "/admin/decisions"]
