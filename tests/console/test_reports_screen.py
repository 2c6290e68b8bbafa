"""What people see of reports in the console, in a real browser."""

from tests.console.conftest import Desk
from tests.support.browser import Visit
from tests.support.service import ADMIN_KEY


def test_chart_is_chosen_and_in_the_address(seen: Visit, desk: Desk) -> None:
    """A range and a zone give the chart of that report, its words for a screen reader, and its figures as a file."""
    desk.call()
    seen.open("#reports")
    seen.sign_in(ADMIN_KEY)
    seen.page.get_by_role("img", name="What became of the calls?").wait_for()
    judged = seen.judge_accessibility()
    seen.page.get_by_role("combobox", name="Report").select_option("Latency")
    seen.page.get_by_label("From").fill("2026-01-01")
    seen.page.get_by_label("Until").fill("2026-02-01")
    seen.page.get_by_role("combobox", name="By", exact=True).select_option("Week")
    seen.page.get_by_label("Time zone").fill("Europe/Helsinki")
    seen.page.get_by_role("button", name="Show").click()
    seen.page.wait_for_url(
        "**#reports?report=latency&from=2026-01-01&until=2026-02-01&by=week&time_zone=Europe%2FHelsinki"
    )
    told = seen.page.get_by_role("img", name="Europe/Helsinki")
    told.wait_for()
    width = told.evaluate("(image) => image.decode().then(() => image.naturalWidth)")
    with seen.page.expect_download() as saved:
        seen.page.get_by_role("button", name="Save as CSV").click()
    seen.page.get_by_label("Time zone").fill("Nowhere")
    seen.page.get_by_role("button", name="Show").click()
    seen.sees("`time_zone` names no zone of the IANA database: 'Nowhere'")
    assert seen.noticed.pop().endswith("422 (Unprocessable Entity)")

    assert judged == []
    assert width > 0
    assert saved.value.suggested_filename == "latency.csv"
    assert saved.value.path().read_text(encoding="utf-8").startswith("period,")
