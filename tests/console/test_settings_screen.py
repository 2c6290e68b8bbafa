"""Settings in the console, in a real browser."""

from typing import Any

from playwright.sync_api import expect

from tests.console.conftest import Desk
from tests.support.browser import Visit
from tests.support.service import ADMIN_KEY, USER_KEY

RETENTION = "/admin/settings/retention"


def read(desk: Desk, path: str, *keys: str) -> dict[str, Any]:
    """Return values of a group, and where they come from."""
    values = desk.get(path).json()["values"]
    return {key: (values[key]["value"], values[key]["source"]) for key in keys}


def patch(desk: Desk, path: str, **values: Any) -> None:
    """Save values without the console."""
    version = desk.get(path).headers["ETag"]
    desk.patch(path, json=values, headers={"If-Match": version}).raise_for_status()


def test_setting_is_saved_put_back_and_restored(seen: Visit, desk: Desk) -> None:
    """A form is drawn from the schema; what is saved counts, and every version can be had again."""
    seen.open("#settings")
    seen.sign_in(ADMIN_KEY)
    seen.page.get_by_role("link", name="retention").click()
    days = seen.page.locator("#value-retention_days")
    before = int(days.input_value())
    days.fill("31")
    seen.page.get_by_role("button", name="Save").click()
    expect(seen.page.locator("#status")).to_have_text("Saved; it is used from now on.")
    saved = read(desk, RETENTION, "retention_days")
    judged = seen.judge_accessibility()

    seen.page.get_by_role("button", name="Back to the default").first.click()
    expect(days).to_have_value(str(before))
    back = read(desk, RETENTION, "retention_days")

    seen.page.get_by_role("row").filter(has_text="31").get_by_role("button", name="Restore").first.click()
    expect(days).to_have_value("31")
    seen.page.get_by_label("Language").select_option("fi")
    seen.sees("Palauta oletus")
    judged += seen.judge_accessibility()

    assert judged == []
    assert saved == {"retention_days": (31, "saved")}
    assert back == {"retention_days": (before, "default")}
    assert read(desk, RETENTION, "retention_days") == {"retention_days": (31, "saved")}
    patch(desk, RETENTION, retention_days=None)


def test_what_does_not_fit_is_said_at_its_place(seen: Visit, desk: Desk) -> None:
    """No JSON, a value the service refuses, and one the environment sets, which cannot be changed here."""
    group = "/admin/settings/phone-call-sync"
    before = desk.get(group).json()
    seen.open("#settings/phone-call-sync")
    seen.sign_in(ADMIN_KEY)
    hours = seen.page.locator("#value-office_hours")
    hours.fill("{")
    seen.page.get_by_role("button", name="Save").click()
    expect(seen.page.locator("#fault-office_hours")).to_contain_text("This is not JSON")
    hours.fill('{"mon": ["8-16"]}')
    seen.page.get_by_role("button", name="Save").click()
    expect(seen.page.locator("#fault-office_hours")).to_contain_text("/office_hours/mon/0")
    expect(hours).to_have_attribute("aria-invalid", "true")
    assert seen.noticed.pop().endswith("422 (Unprocessable Entity)")
    assert desk.get(group).json() == before

    seen.open("#settings/smart-routing")
    expect(seen.page.locator("#value-deadline_ms")).to_be_disabled()
    expect(seen.page.locator("#about-deadline_ms")).to_contain_text("set by the environment")


def test_two_administrators_lose_nothing(seen: Visit, desk: Desk) -> None:
    """Whoever saves second is told who saved what, keeps what was typed, and can save it on top."""
    seen.open("#settings/retention")
    seen.sign_in(ADMIN_KEY)
    seen.page.locator("#value-reports_days").fill("400")
    patch(desk, RETENTION, retention_days=45)
    seen.page.get_by_role("button", name="Save").click()
    expect(seen.page.locator("#status")).to_contain_text("anna saved retention_days")
    assert seen.noticed.pop().endswith("412 (Precondition Failed)")
    expect(seen.page.locator("#value-reports_days")).to_have_value("400")
    expect(seen.page.locator("#value-retention_days")).to_have_value("45")
    seen.page.get_by_role("button", name="Save").click()
    expect(seen.page.locator("#status")).to_have_text("Saved; it is used from now on.")

    assert read(desk, RETENTION, "reports_days", "retention_days") == {
        "reports_days": (400, "saved"),
        "retention_days": (45, "saved"),
    }
    patch(desk, RETENTION, reports_days=None, retention_days=None)


def test_settings_are_not_for_everybody(seen: Visit) -> None:
    """A Voice User is told so."""
    seen.open("#settings")
    seen.sign_in(USER_KEY)
    seen.sees("Voice User")

    assert seen.page.locator("nav").get_by_text("Settings").count() == 0
