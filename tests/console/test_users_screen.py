"""How people manage users in the console, in a real browser."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, expect

from tests.console.conftest import SETTINGS, Desk
from tests.support.browser import Visit, visit
from tests.support.console import Console
from tests.support.service import ADMIN_KEY, USER_KEY

LIST = "user,client\nnoora.laakso@contoso.example,cif2\nnobody@contoso.example,\n"


def find_user(desk: Desk, search: str) -> dict[str, Any]:
    """A user as the API tells."""
    (found,) = desk.get("/admin/users", params={"search": search}).json()["items"]
    user: dict[str, Any] = found
    return user


def card(seen: Visit, name: str, column: str = "") -> Locator:
    """What the board says of a user, in a column."""
    return seen.page.locator("section", has_text=column).locator("article", has_text=name)


def test_user_is_enabled_and_disabled(browser: Browser, console: Console, tmp_path: Path) -> None:
    """The board says what is missing and what to do; the user moves to the ready ones and back."""
    with console.serve_demo(tmp_path, **SETTINGS) as (url, _), visit(browser, url) as seen, Desk.ask_as(url) as desk:
        page = seen.page
        dialog = page.get_by_role("dialog")
        seen.open("#users")
        seen.sign_in(ADMIN_KEY)
        expect(card(seen, "Noora Laakso", "Not ready")).to_contain_text("missing Enable the user: assign Voice User")
        judged = seen.judge_accessibility()
        page.get_by_role("button", name="Enable: Noora Laakso").click()
        expect(dialog).to_contain_text("Role · Planned")
        judged += seen.judge_accessibility()
        dialog.get_by_label("E-mail address in Enreach").fill("noora.laakso@voice.example")
        dialog.get_by_role("button", name="Enable: Noora Laakso").click()
        expect(page.locator("#status")).to_contain_text("Noora Laakso: Changed.")
        expect(page.locator("h3", has_text="Noora Laakso")).to_be_focused()
        card(seen, "Noora Laakso", "Ready: ").wait_for()
        enabled = find_user(desk, "laakso")
        page.get_by_role("button", name="Disable: Noora Laakso").click()
        dialog.get_by_label("Phone client").select_option("CIF2")
        judged += seen.judge_accessibility()
        dialog.get_by_role("button", name="Disable: Noora Laakso").click()
        expect(page.get_by_role("button", name="Disable: Noora Laakso")).to_have_count(0)
        disabled = find_user(desk, "laakso")
        page.get_by_role("button", name="Disable: Oskari Heikkinen").click()
        dialog.get_by_role("button", name="Disable: Oskari Heikkinen").click()
        expect(page.locator("#status.error")).to_contain_text("Oskari Heikkinen: Incomplete.")
        expect(page.locator("#status")).to_contain_text("Voice is still granted by Voice Users (Entra group).")

    assert judged == []
    assert (enabled["ready"], enabled["enreach_email"]) == (True, "noora.laakso@voice.example")
    assert [role["name"] for role in enabled["roles"]] == ["Voice User"]
    assert (disabled["ready"], disabled["roles"], disabled["enreach_user_id"]) == (False, [], None)


def test_list_of_users_is_tried_and_carried_out(browser: Browser, console: Console, tmp_path: Path) -> None:
    """The dry run changes nothing and says what would be; its screen outlives a reload."""
    with console.serve_demo(tmp_path, **SETTINGS) as (url, _), visit(browser, url) as seen, Desk.ask_as(url) as desk:
        page = seen.page
        seen.open("#users")
        seen.sign_in(ADMIN_KEY)
        upload = page.get_by_label("List of users (CSV)")
        upload.set_input_files({"name": "users.csv", "mimeType": "text/csv", "buffer": b"who\nsomebody\n"})
        page.get_by_role("button", name="Dry run").click()
        expect(page.locator("#status.error")).to_contain_text("The first line must name the columns")
        seen.noticed.clear()
        upload.set_input_files({"name": "users.csv", "mimeType": "text/csv", "buffer": LIST.encode()})
        page.get_by_role("button", name="Dry run").click()
        seen.sees("What would be done")
        seen.sees("Done: 2 of 2")
        planned = page.locator("main tbody tr").all_inner_texts()
        judged = seen.judge_accessibility()
        before = find_user(desk, "laakso")
        page.get_by_role("button", name="Carry out").click()
        seen.sees("What was done")
        after = find_user(desk, "laakso")
        page.reload()
        seen.sign_in(ADMIN_KEY)
        seen.sees("What was done")
        page.get_by_label("Language").select_option("fi")
        seen.sees("Mitä tehtiin")
        expect(page.get_by_role("progressbar", name="Edistyminen")).to_have_attribute("value", "100")

    assert judged == []
    assert [row.split("\t")[:2] for row in planned] == [
        ["nobody@contoso.example", "Not found"],
        ["noora.laakso@contoso.example", "Planned"],
    ]
    assert before["roles"] == []
    assert [role["name"] for role in after["roles"]] == ["Voice User"]


def test_enreach_ids_are_updated(browser: Browser, console: Console, tmp_path: Path) -> None:
    """Of one user, with the outcome by name; a dry run for all changes nothing."""
    with console.serve_demo(tmp_path, **SETTINGS) as (url, _), visit(browser, url) as seen, Desk.ask_as(url) as desk:
        aino = find_user(desk, "virtanen")
        cleared = desk.put(f"/admin/users/{aino['id']}/enreach-id", json={"enreach_user_id": None}).raise_for_status()
        page = seen.page
        seen.open("#users", "fi")
        seen.sign_in(ADMIN_KEY)
        page.get_by_role("button", name="Päivitä kaikki Enreach-tunnukset").click()
        page.get_by_role("dialog").get_by_label("Koeajo").check()
        page.get_by_role("dialog").get_by_role("button", name="Päivitä kaikki Enreach-tunnukset").click()
        seen.sees("Mitä tehtäisiin")
        expect(page.locator("tr", has_text="Aino Virtanen")).to_contain_text("Täsmäsi")
        tried = find_user(desk, "virtanen")
        page.get_by_role("link", name="Kaikki käyttäjät").click()
        page.get_by_role("button", name="Päivitä Enreach-tunnus: Aino Virtanen").click()
        page.get_by_role("dialog").get_by_role("button", name="Päivitä Enreach-tunnus: Aino Virtanen").click()
        seen.sees("Mitä tehtiin")
        expect(page.locator("main tbody tr")).to_contain_text("Aino Virtanen")

        assert cleared.json()["enreach_user_id"] is None
        assert tried["enreach_user_id"] is None
        assert find_user(desk, "virtanen")["enreach_user_id"] == aino["enreach_user_id"]


def test_users_are_found_on_a_small_screen_in_the_dark(browser: Browser, served: str) -> None:
    """Filters are in the address, nothing scrolls sideways at 320 px, and contrasts hold."""
    small = {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"}
    with visit(browser, served, **small) as seen:
        seen.open("#users", "fi")
        seen.sign_in(ADMIN_KEY)
        seen.sees("Ei vielä valmiit")
        widths = [seen.page.evaluate("document.documentElement.scrollWidth")]
        seen.page.get_by_label("Tili Dynamicsissa").select_option("Poissa käytöstä Dynamicsissa")
        seen.page.get_by_label("Nimi tai sähköpostiosoite").fill("lehtonen")
        seen.page.get_by_role("button", name="Suodata").click()
        expect(seen.page.locator("article")).to_have_count(1)
        expect(card(seen, "Harri Lehtonen", "Ei vielä valmiit: 1")).to_contain_text("Aktiivinen Dynamicsissa")
        judged = seen.judge_accessibility()
        place = seen.page.url

    assert judged == []
    assert widths == [320]
    assert place.endswith("#users?search=lehtonen&active=false")


def test_who_may_not_read_users_is_told(seen: Visit) -> None:
    """A Voice User is offered nothing of it."""
    seen.open("#users")
    seen.sign_in(USER_KEY)
    seen.sees("Your role, Voice User, may not see this.")

    assert seen.page.locator("nav a, main button, main article").count() == 0
