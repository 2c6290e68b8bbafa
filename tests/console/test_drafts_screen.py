"""How people change rules in the console, in a real browser."""

import json
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import SECOND_ADMIN_KEY, SETTINGS, Desk
from tests.support.browser import Visit, visit
from tests.support.console import Console
from tests.support.service import ADMIN_KEY, USER_KEY

VIP = "VIP callers skip the line"
OWNER = "A customer with an open case goes to their account manager"
SILENT = "When the CRM is silent, leave the call where it is"
CLOSED = {
    "id": "closed",
    "when": {"fact": "call.target_id", "op": "is", "value": "CLOSED"},
    "then": {"disconnect": True},
}


def start_draft(desk: Desk, name: str) -> str:
    """Make a draft of the live rules without the console, and return its path."""
    made = desk.post("/admin/rulesets/drafts", json={"name": name, "source": "current"}).raise_for_status()
    return f"/admin/rulesets/{made.json()['ref']}"


def open_draft(seen: Visit, path: str, language: str = "en", query: str = "") -> None:
    """Sign in as Voice Admin User at the screen of a draft."""
    seen.open(f"#rules/{path.rpartition('/')[2]}{query}", language)
    seen.sign_in(ADMIN_KEY)


def read_rules(desk: Desk, path: str) -> list[dict[str, Any]]:
    """The rules of a draft as the API tells them."""
    rules: list[dict[str, Any]] = desk.get(path).json()["document"]["rules"]
    return rules


def expect_order(page: Page, *names: str) -> None:
    """Wait until the rules stand in this order."""
    expect(page.locator("ol.rules > li > strong")).to_have_text(names)


def read_json(page: Page) -> Any:
    """The rule that is edited."""
    return json.loads(page.get_by_label("The whole rule as JSON").input_value())


def write_json(page: Page, rule: object) -> None:
    """Type another rule over it."""
    page.get_by_label("The whole rule as JSON").fill(json.dumps(rule, indent=2))


def test_rules_are_changed_and_published(browser: Browser, console: Console, tmp_path: Any) -> None:
    """From the live rules to a draft with a new rule, with its tests, to the next call."""
    with console.serve_demo(tmp_path, **SETTINGS) as (url, _), visit(browser, url) as seen, Desk.ask_as(url) as desk:
        page = seen.page
        seen.open("#rules")
        seen.sign_in(ADMIN_KEY)
        page.get_by_label("Name of the draft").fill("Closed line")
        page.get_by_role("button", name="Make a draft of the live rules").click()
        seen.sees("Draft “Closed line”")
        seen.sees("Tests: 2 of 2 pass.")
        judged = seen.judge_accessibility()
        page.get_by_role("link", name="Add a rule").click()
        write_json(page, CLOSED)
        page.get_by_label("Name", exact=True).fill("The line is closed")
        page.get_by_label("Place").select_option(f"Before “{OWNER}”")
        judged += seen.judge_accessibility()
        page.get_by_role("button", name="Save").click()
        expect_order(page, VIP, "The line is closed", OWNER, SILENT)
        expect(page.locator("#status")).to_have_text("“The line is closed” is saved.")
        page.get_by_role("link", name=f"Edit: {VIP}").click()
        page.get_by_label("Enabled").uncheck()
        page.get_by_role("button", name="Save").click()
        seen.sees("Tests: 1 of 2 pass.")
        page.get_by_role("button", name="Publish…").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("This cannot be published yet.")
        expect(dialog.get_by_role("button", name="Publish")).to_be_disabled()
        judged += seen.judge_accessibility()
        dialog.get_by_role("button", name="Cancel").click()
        page.get_by_role("link", name=f"Edit: {VIP}").click()
        page.get_by_label("Enabled").check()
        page.get_by_label("Valid until").fill("2020-01-01T00:00")
        page.get_by_label("Destination").select_option("Overflow")
        edited = read_json(page)
        page.get_by_label("Valid until").fill("")
        page.get_by_label("Destination").select_option("VIP service")
        page.get_by_role("button", name="Save").click()
        seen.sees("Tests: 2 of 2 pass.")
        page.get_by_role("button", name="Publish…").click()
        dialog.get_by_label("Comment").fill("Closed for good")
        dialog.get_by_role("button", name="Publish").click()
        seen.sees("Live: revision 2")
        closed = desk.decide(targetid="CLOSED", anum="+358401112233")
        rules = read_rules(desk, "/admin/rulesets/current")

    assert judged == []
    assert edited["valid_until"].startswith(("2019-12-31T", "2020-01-01T"))
    assert edited["then"] == {"redirect": "overflow", "on_fail": "overflow"}
    assert closed == {"InitialTarget": "DISCONNECT:"}
    assert [rule["id"] for rule in rules] == ["vip", "closed", "owner", "silent"]
    assert rules[0]["then"] == {"redirect": "vip-queue", "on_fail": "overflow"}


def test_rules_are_moved_and_deleted_by_keyboard(seen: Visit, desk: Desk) -> None:
    """The focus stays with the rule that moves; what is deleted is asked about first."""
    path = start_draft(desk, "By keyboard")
    page = seen.page
    open_draft(seen, path)
    page.get_by_role("button", name=f"Down: {VIP}").focus()
    page.keyboard.press("Enter")
    expect_order(page, OWNER, VIP, SILENT)
    expect(page.locator("#status")).to_have_text(f"“{VIP}” is number 2 now.")
    expect(page.get_by_role("button", name=f"Down: {VIP}")).to_be_focused()
    page.keyboard.press("Enter")
    expect_order(page, OWNER, SILENT, VIP)
    expect(page.get_by_role("button", name=f"Up: {VIP}")).to_be_focused()
    moved = read_rules(desk, path)
    page.get_by_role("button", name=f"Delete: {SILENT}").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text(f"Delete “{SILENT}” from this draft?")
    judged = seen.judge_accessibility()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name=f"Delete: {SILENT}").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the rule").click()
    expect_order(page, OWNER, VIP)

    assert judged == []
    assert [rule["id"] for rule in moved] == ["owner", "silent", "vip"]
    assert [rule["id"] for rule in read_rules(desk, path)] == ["owner", "vip"]


def test_rules_are_dragged(seen: Visit, desk: Desk) -> None:
    """A rule that is dropped on another one takes its place."""
    path = start_draft(desk, "Dragged")
    open_draft(seen, path)
    lines = seen.page.locator("ol.rules > li")
    lines.nth(2).locator(".handle").drag_to(lines.nth(0))
    expect_order(seen.page, SILENT, VIP, OWNER)

    assert [rule["id"] for rule in read_rules(desk, path)] == ["silent", "vip", "owner"]


def test_what_is_wrong_with_a_rule_is_shown_at_its_place(seen: Visit, desk: Desk) -> None:
    """Each error of the API leads to the part it names, in the language of the page; nothing is lost or changed."""
    path = start_draft(desk, "Wrong")
    page = seen.page
    open_draft(seen, path, "fi", "?rule=vip")
    text = page.get_by_label("Koko sääntö JSON-muodossa")
    text.fill(text.input_value().replace("caller.vip", "caller.wip").replace('"vip-queue"', "5"))
    page.get_by_role("button", name="Tallenna").click()
    page.locator("#refused li").nth(1).wait_for()
    told = page.locator("#refused li").all_inner_texts()
    page.get_by_role("button", name="Rivi 7 /when/all/0/fact").click()
    expect(text).to_be_focused()
    chosen = text.evaluate("(box) => box.value.slice(box.selectionStart, box.selectionEnd)")
    judged = seen.judge_accessibility()
    seen.noticed.clear()
    text.fill('{"id": ')
    page.get_by_role("button", name="Tallenna").click()
    seen.sees("Tämä ei ole JSONia")
    expect(page.get_by_label("Nimi", exact=True)).to_be_disabled()
    page.get_by_role("link", name="Puhelut").click()
    page.go_back()
    expect(text).to_have_value('{"id": ')
    page.get_by_role("button", name="Peruuta").click()
    page.get_by_role("link", name=f"Muokkaa: {VIP}").click()
    expect(text).to_have_value(json.dumps(read_rules(desk, path)[0], indent=2))

    assert judged == []
    assert told == [
        'Rivi 7 /when/all/0/fact No fact is called "caller.wip". Did you mean "caller.vip"?',
        "Rivi 19 /then/redirect Must be a text.",
    ]
    assert chosen == '"caller.wip"'
    assert read_rules(desk, path) == read_rules(desk, "/admin/rulesets/current")


def test_who_changed_the_draft_meanwhile_is_told_and_the_edit_is_kept(seen: Visit, desk: Desk) -> None:
    """The second of two administrators learns who changed what, and writes over it only by saving again."""
    path = start_draft(desk, "Together")
    page = seen.page
    open_draft(seen, path, query="?rule=vip")
    page.get_by_label("Name", exact=True).fill("Mine")
    with Desk.ask_as(seen.url, SECOND_ADMIN_KEY) as other:
        tag = other.get(path).headers["ETag"]
        theirs = read_rules(desk, path)[0] | {"name": "Theirs"}
        changed = other.put(f"{path}/rules/vip", json=theirs, headers={"If-Match": tag}).raise_for_status()
        tag = changed.headers["ETag"]
        other.delete(f"{path}/rules/silent", headers={"If-Match": tag}).raise_for_status()
    page.get_by_role("button", name="Save").click()
    seen.sees("Your edit is kept.")
    told = page.locator("#refused")
    expect(told).to_contain_text("Changed by cara")
    expect(told).to_contain_text("Removed: Rule silent")
    told.get_by_text("Changed: Rule vip (/rules/0/name)").click()
    expect(told).to_contain_text('"Theirs"')
    judged = seen.judge_accessibility()
    kept = read_json(page)["name"]
    before = read_rules(desk, path)
    page.get_by_role("button", name="Save").click()
    expect_order(page, "Mine", OWNER)
    seen.noticed.clear()

    assert judged == []
    assert kept == "Mine"
    assert [rule["name"] for rule in before] == ["Theirs", OWNER]
    assert [rule["name"] for rule in read_rules(desk, path)] == ["Mine", OWNER]


def test_stale_list_of_rules_is_shown_as_it_is_now(seen: Visit, desk: Desk) -> None:
    """A move from an old list changes nothing, tells why, and the next one counts."""
    path = start_draft(desk, "Stale")
    open_draft(seen, path)
    expect_order(seen.page, VIP, OWNER, SILENT)
    with Desk.ask_as(seen.url, SECOND_ADMIN_KEY) as other:
        other.delete(f"{path}/rules/owner", headers={"If-Match": other.get(path).headers["ETag"]}).raise_for_status()
    seen.page.get_by_role("button", name=f"Down: {VIP}").click()
    expect(seen.page.get_by_role("alert")).to_contain_text("Removed: Rule owner")
    expect_order(seen.page, VIP, SILENT)
    seen.noticed.clear()
    seen.page.get_by_role("button", name=f"Down: {VIP}").click()
    expect_order(seen.page, SILENT, VIP)

    assert [rule["id"] for rule in read_rules(desk, path)] == ["silent", "vip"]


def test_draft_is_discarded(seen: Visit, desk: Desk) -> None:
    """After a question, in Finnish; what callers wrote into its name is text."""
    path = start_draft(desk, "<img src=x onerror=window.hit=1>")
    open_draft(seen, path, "fi")
    seen.page.get_by_role("button", name="Hylkää luonnos…").click()
    seen.page.get_by_role("dialog").get_by_role("button", name="Hylkää luonnos").click()
    expect(seen.page.locator("#status")).to_have_text("Luonnos ”<img src=x onerror=window.hit=1>” on hylätty.")
    seen.sees("Käytössä: versio")

    assert desk.get(path).status_code == 404
    assert seen.page.evaluate("window.hit") is None


def test_drafts_fit_a_small_screen_in_the_dark(browser: Browser, served: str, desk: Desk) -> None:
    """At 320 px nothing but wide content in its box scrolls sideways, and contrasts hold."""
    path = start_draft(desk, "Small")
    small = {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"}
    with visit(browser, served, **small) as seen:
        open_draft(seen, path)
        seen.sees("Tests: 2 of 2 pass.")
        widths = [seen.page.evaluate("document.documentElement.scrollWidth")]
        judged = seen.judge_accessibility()
        seen.page.get_by_role("link", name=f"Edit: {VIP}").click()
        seen.page.get_by_label("The whole rule as JSON").wait_for()
        widths.append(seen.page.evaluate("document.documentElement.scrollWidth"))
        judged += seen.judge_accessibility()

    assert widths == [320, 320]
    assert judged == []


def test_who_may_not_read_rules_is_offered_none(seen: Visit, desk: Desk) -> None:
    """A Voice User gets neither the screen nor a way to a draft, in either language."""
    open_place = f"#rules/{start_draft(desk, 'Not yours').rpartition('/')[2]}?rule=vip"
    seen.open(open_place)
    seen.sign_in(USER_KEY)
    seen.sees("Your role, Voice User, may not see this.")
    seen.page.get_by_label("Language").select_option("fi")
    seen.sees("Roolisi Voice User ei saa nähdä tätä.")

    assert seen.page.locator("nav a, main button, main textarea").count() == 0
