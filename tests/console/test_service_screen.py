"""What people see of the service in the console, in a real browser."""

from playwright.sync_api import expect

from tests.console.conftest import RETIRING_KEY, Desk
from tests.support.browser import Visit
from tests.support.service import ADMIN_KEY


def test_alert_is_acknowledged(seen: Visit, desk: Desk) -> None:
    """Readiness and dependencies are shown with what to do, and an open alert gets a name."""
    desk.call(key=RETIRING_KEY)
    (opened,) = desk.wait_for("/admin/alerts", 1, open=True)
    seen.open("#service")
    seen.sign_in(ADMIN_KEY)
    seen.sees("Readiness: not ready to go live")
    expect(seen.page.locator("tr", has_text="Public URL")).to_contain_text("PUT /admin/handoff")
    seen.page.get_by_role("row", name="Database Works").wait_for()
    judged = seen.judge_accessibility()
    seen.page.get_by_role("button", name="Acknowledge").click()
    expect(seen.page.locator("#status")).to_have_text("The alert is acknowledged.")
    seen.sees("Acknowledged by anna")
    seen.page.get_by_label("Language").select_option("fi")
    seen.sees("Valmius: ei vielä valmis käyttöön")
    judged += seen.judge_accessibility()

    assert judged == []
    (alert,) = desk.get("/admin/alerts", params={"open": True}).json()["items"]
    assert (alert["id"], alert["acknowledged_by"]) == (opened["id"], "anna")
