"""What people do with rules in the console, in a real browser."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from tests.console.conftest import SETTINGS, Desk
from tests.support.browser import Visit, visit
from tests.support.console import Console
from tests.support.service import ADMIN_KEY

VIP = "When VIP is true and match is exact: redirect to VIP service, if that fails, to Overflow."


def make_draft(desk: Desk, name: str, **rule: Any) -> str:
    """Make a draft of the live rules with one in front, and return its id."""
    document = desk.get("/admin/rulesets/current").json()["document"]
    others = [each for each in document["rules"] if each["id"] != "end"]
    changed = document | {"rules": [{"id": "end", "name": "Ends here", **rule}, *others]}
    made = desk.post("/admin/rulesets/drafts", json={"name": name, "document": changed})
    made.raise_for_status()
    ref: str = made.json()["ref"]
    return ref


def test_rules_are_sentences(seen: Visit, desk: Desk) -> None:
    """The live ruleset, a draft and what differs between them; names are text."""
    name = "<img src=x onerror=window.hit=1>"
    condition = {"fact": "call.target_id", "op": "in", "value": ["A", "B"]}
    make_draft(desk, name, when=condition, then={"disconnect": True})
    seen.open("#rules")
    seen.sign_in(ADMIN_KEY)
    seen.sees("Live: revision 1")
    seen.sees(VIP)
    judged = seen.judge_accessibility()
    seen.page.get_by_role("link", name=name).click()
    seen.sees("When target id is one of A, B: disconnect.")
    judged += seen.judge_accessibility()
    seen.page.get_by_role("link", name="All rules").click()
    seen.page.locator("tr", has_text=name).get_by_role("link", name="Compare with live").click()
    seen.sees("From live to")
    expect(seen.page.locator("main tbody tr")).to_have_count(1)
    expect(seen.page.locator("main tbody tr")).to_contain_text("Rule end")
    judged += seen.judge_accessibility()
    seen.page.get_by_label("Language").select_option("fi")
    seen.sees("Lisätty")

    assert judged == []
    assert seen.page.evaluate("window.hit") is None


def test_draft_is_simulated_published_and_rolled_back(browser: Browser, console: Console, tmp_path: Path) -> None:
    """Each step has its effect on calls, and the second of two administrators is told."""
    with console.serve_demo(tmp_path, **SETTINGS) as (url, _), visit(browser, url) as seen, Desk.ask_as(url) as desk:
        condition = {"fact": "call.target_id", "op": "is", "value": "CLOSED"}
        ref = make_draft(desk, "Closing", when=condition, then={"disconnect": True})
        late = make_draft(desk, "Late", when=condition, then={"no_change": True})
        seen.open(f"#rules/{ref}")
        seen.sign_in(ADMIN_KEY)
        seen.page.get_by_label("Target id").fill("CLOSED")
        seen.page.get_by_role("button", name="Simulate").click()
        seen.sees("decided this call")
        seen.page.get_by_role("button", name="Run the checks").click()
        seen.sees("Nothing keeps this from being published.")
        seen.page.get_by_role("button", name="Publish…").click()
        seen.page.get_by_label("Comment").fill("Closed for good")
        assert seen.judge_accessibility() == []
        seen.page.get_by_role("button", name="Publish", exact=True).click()
        seen.sees("Live: revision 2")
        expect(seen.page.locator("#status")).to_have_text("Revision 2 is live.")
        closed = desk.decide(targetid="CLOSED")
        seen.page.get_by_role("link", name="Late").click()
        seen.page.get_by_role("button", name="Publish…").click()
        seen.page.get_by_label("Comment").fill("Late")
        desk.publish(make_draft(desk, "Between", when=condition, then={"redirect": "overflow"}))
        seen.page.get_by_role("button", name="Publish", exact=True).click()
        expect(seen.page.get_by_role("alert")).to_contain_text("3")
        seen.page.get_by_role("button", name="Cancel").click()
        seen.page.get_by_role("link", name="All rules").click()
        seen.page.get_by_role("link", name="1", exact=True).click()
        seen.page.get_by_role("button", name="Roll back to this revision…").click()
        seen.page.get_by_label("Comment").fill("Open again")
        seen.page.get_by_role("button", name="Roll back", exact=True).click()
        seen.sees("Live: revision 4")
        reopened = desk.decide(targetid="CLOSED")
        kept = desk.get(f"/admin/rulesets/{late}").status_code
        seen.noticed.clear()

    assert closed == {"InitialTarget": "DISCONNECT:"}
    assert reopened == {"InitialTarget": "1a89fc22-517a-e611-80c9-00505689257e", "FailTarget": "+358401234567"}
    assert kept == 200
