"""`smartrouting check` against the emulated systems over real HTTP: what is wrong is one line that names it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dirty_equals import IsStr

from app.emulators.dataverse import CLIENT_ID, DataverseEmulator, create_dataverse_emulator
from app.emulators.enreach import EnreachEmulator, create_enreach_emulator
from app.rulesets.store import RulesetStore
from app.store.database import open_database
from app.store.settings_documents import DocumentChange, SettingsDocumentStore
from app.store.upgrade import upgrade
from tests.dataverse.loopback import serve
from tests.support.console import Console, Ended
from tests.support.issuer import AUDIENCE, serve_issuer
from tests.support.service import VIP_RULES

TOKEN = "token-nobody-may-see"
SECRET = "secret-nobody-may-see"
QUEUE = "1a89fc22-517a-e611-80c9-00505689257e"


@dataclass(frozen=True, slots=True)
class World:
    """A deployment and the systems it leans on."""

    folder: Path
    console: Console
    dataverse: DataverseEmulator
    enreach: EnreachEmulator
    settings: dict[str, str] = field(default_factory=dict)

    def check(self, **changes: str) -> Ended:
        """Run the check with these settings changed; names go without prefix."""
        changed = {f"SMARTROUTING_{name}": value for name, value in changes.items()}
        ended = self.console.run(self.folder, "check", **{**self.settings, **changed})
        assert ended.err == ""
        assert not any(secret in ended.out for secret in (TOKEN, SECRET, "Traceback", "virtanen"))
        assert {read_state(line) for line in ended.out.splitlines()} <= {"ok", "wrong", "unknown", "not-needed"}
        return ended

    def write_rules(self, **members: object) -> str:
        """Write a ruleset file whose one queue Enreach knows, unless told otherwise."""
        destinations = {
            "vip-queue": {"kind": "queue", "id": QUEUE},
            "overflow": {"kind": "number", "id": "+3585012345"},
        }
        file = self.folder / "rules.json"
        file.write_text(json.dumps({**VIP_RULES, "destinations": destinations, **members}), encoding="utf-8")
        return str(file)


@pytest.fixture
def world(console: Console, tmp_path: Path) -> Iterator[World]:
    """Serve both emulators, and set up a deployment in which nothing is wrong."""
    dataverse = create_dataverse_emulator(static_tokens={TOKEN: CLIENT_ID})
    enreach = create_enreach_emulator(clock=lambda: datetime.now(UTC))
    user, key = enreach.credential
    enreach.tables["credentials"][0]["SecretKey"] = SECRET
    assert key != SECRET
    with ExitStack() as stack:
        settings = {
            "WEBHOOK__API_KEYS": json.dumps({"queue": SECRET}),
            "DATAVERSE__URL": stack.enter_context(serve(dataverse)),
            "DATAVERSE__AUTH": "token",
            "DATAVERSE__TOKEN": TOKEN,
            "ENREACH__URL": stack.enter_context(serve(enreach)),
            "ENREACH__USER": user,
            "ENREACH__SECRET": SECRET,
        }
        named = {f"SMARTROUTING_{name}": value for name, value in settings.items()}
        yield World(tmp_path, console, dataverse, enreach, named)


def read_state(line: str) -> str:
    """Read the first word of a line."""
    return line.split(" ", maxsplit=1)[0]


def list_lines(ended: Ended, state: str) -> list[str]:
    """List what is in a state, without the word for it."""
    return [line[12:] for line in ended.out.splitlines() if read_state(line) == state]


def test_everything_right_is_ok_and_changes_nothing(world: World) -> None:
    """Every item has its line, the status is 0, and the store is as empty as before, and private."""
    first = world.check(RULES__FILE=world.write_rules())
    second = world.check(RULES__FILE=world.write_rules())

    assert (first.status, first.out) == (0, second.out)
    assert list_lines(first, "not-needed") == ["sign-in: administrators come with keys only"]
    assert list_lines(first, "ok") == [
        "decision-log: journal can be written, database is empty; the first start creates its tables",
        "ruleset: 1 rules from the file rules.json",
        "destinations: Enreach knows every queue and user of the rules and the hand-off",
        "clock: within 30 s of that of Dataverse",
        IsStr(regex="dataverse-token: Dataverse address: .*; Dataverse token: obtained; application user: known as .*"),
        IsStr(regex="dataverse-privileges: columns of contact: .*; read contact: every row; .*; roles of Voice: .*"),
        "enreach: Enreach API: answers, and accepts the key",
    ]
    assert oct((world.folder / "data" / "smartrouting.db").stat().st_mode)[-3:] == "600"


def test_what_is_not_configured_is_no_fault(world: World) -> None:
    """Without rules, Enreach and an issuer the rest is checked, and the status is 0."""
    ended = world.check(ENREACH__URL="")

    assert ended.status == 0
    assert [line.split(":")[0] for line in list_lines(ended, "not-needed")] == ["ruleset", "enreach", "sign-in"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param(
            {"ENREACH__SECRET": "wrong"},
            "enreach: Enreach API: GET /users/me: answered 401 "
            "(check SMARTROUTING_ENREACH__USER and SMARTROUTING_ENREACH__SECRET)",
            id="wrong-key",
        ),
        pytest.param(
            {"ENREACH__URL": "http://127.0.0.1:9"},
            "enreach: Enreach API: GET /users/me: no connection "
            "(the host refuses connections at this port; check the URL, and whether the system runs) "
            "(check SMARTROUTING_ENREACH__URL)",
            id="dead-enreach",
        ),
        pytest.param(
            {"DATAVERSE__AGENT_ID_COLUMN": "new_enreachuserid", "DATAVERSE__AGENT_EMAIL_COLUMN": "new_nowhere"},
            "dataverse-privileges: column systemuser.new_nowhere: does not exist "
            "(correct SMARTROUTING_DATAVERSE__AGENT_EMAIL_COLUMN, or add the column to systemuser)",
            id="missing-column",
        ),
        pytest.param(
            {"ADMIN__OIDC_ISSUER": "http://127.0.0.1:9/realms/contoso", "ADMIN__OIDC_AUDIENCE": AUDIENCE},
            "sign-in: the issuer does not answer "
            "(the host refuses connections at this port; check the URL, and whether the system runs) "
            "(check SMARTROUTING_ADMIN__OIDC_ISSUER)",
            id="dead-issuer",
        ),
        pytest.param(
            {"RULES__FILE": "nowhere.json"},
            "ruleset: cannot read the ruleset file nowhere.json: No such file or directory "
            "(correct it; `smartrouting rules lint FILE` shows every place)",
            id="no-rules-file",
        ),
    ],
)
def test_each_fault_is_one_line(world: World, changes: dict[str, str], line: str) -> None:
    """The line names what is wrong and the setting, everything else is still checked, and the status is 1."""
    ended = world.check(**changes)

    assert (ended.status, list_lines(ended, "wrong")) == (1, [line])
    assert any("Dataverse token: obtained" in line for line in list_lines(ended, "ok"))


def test_wrong_token_is_told(world: World) -> None:
    """A token that Dataverse does not take ends its lines, and the other systems are still asked."""
    ended = world.check(DATAVERSE__TOKEN="another")

    [line] = list_lines(ended, "wrong")
    assert line.startswith("dataverse-token: application user: ")
    assert "enreach: Enreach API: answers, and accepts the key" in list_lines(ended, "ok")


def test_missing_roles_are_named(world: World) -> None:
    """A role of Voice that the environment does not have is told by its name."""
    for row in world.dataverse.tables.rows("roles"):
        if row["name"] == "Voice ApiUser":
            row["name"] = "Voice Something"

    [line] = list_lines(world.check(), "wrong")
    assert line.startswith("dataverse-privileges: role Voice ApiUser: does not exist (install Voice for Dynamics 365")


def test_lost_destinations_are_named(world: World) -> None:
    """A queue or user of the ruleset that Enreach does not know is told by its place, with the id that is near."""
    places: dict[str, Any] = {
        "vip-queue": {"kind": "queue", "id": QUEUE[:-1] + "f"},
        "overflow": {"kind": "user", "id": "nobody"},
    }

    ended = world.check(RULES__FILE=world.write_rules(destinations=places))

    [line] = list_lines(ended, "wrong")
    queue, user = line.split("; ", 1)
    assert queue.startswith("destinations: /destinations/vip-queue/id: Enreach has no queue with this id (")
    assert QUEUE in queue
    assert user.startswith("/destinations/overflow/id: Enreach has no user with this id")


def test_unsound_rules_are_told(world: World) -> None:
    """A ruleset file that could not be published is one line with the places."""
    ended = world.check(RULES__FILE=world.write_rules(rules=[{"id": "a", "then": {"redirect": "nowhere"}}]))

    [line] = list_lines(ended, "wrong")
    assert line.startswith("ruleset: ")
    assert "/rules/0/then/redirect" in line


async def test_published_rules_are_the_ones_that_count(world: World) -> None:
    """Without a file the live revision of the store says which queues must exist."""
    database = open_database(f"sqlite:///{world.folder}/live.db")
    await upgrade(database)
    await RulesetStore(database=database).publish_document(
        dict(VIP_RULES), expected=None, comment="first", author="anna", now=0.0
    )
    await database.close()

    ended = world.check(STORE__URL=f"sqlite:///{world.folder}/live.db")

    assert "ruleset: 1 rules from revision 1" in list_lines(ended, "ok")
    [line] = list_lines(ended, "wrong")
    assert line.startswith("destinations: /destinations/vip-queue/id: ")


async def test_saved_settings_are_the_ones_that_count(world: World) -> None:
    """What administrators have set while the service ran is checked, not only what the environment says."""
    database = open_database(f"sqlite:///{world.folder}/live.db")
    await upgrade(database)
    document = {"fields": {"priority": {"key": "Priority", "shape": "number"}}, "contact_phone_columns": ["nowhere"]}
    change = DocumentChange(name="settings/smart-routing", document=document, expected=0)
    await SettingsDocumentStore(database=database).put([change], author="anna", now=0.0)
    await database.close()
    rules = [{"id": "vip", "then": {"redirect": "vip-queue", "priority": 3}}]

    ended = world.check(STORE__URL=f"sqlite:///{world.folder}/live.db", RULES__FILE=world.write_rules(rules=rules))

    assert "ruleset: 1 rules from the file rules.json" in list_lines(ended, "ok")
    [wrong] = list_lines(ended, "wrong")
    assert wrong.startswith("dataverse-privileges: column contact.nowhere: does not exist")


@pytest.mark.parametrize(
    ("name", "place", "word"),
    [
        ("STORE__URL", "sqlite:///{blocked}/x.db", "database: cannot create the folder"),
        ("STORE__URL", "sqlite:///{blocked}", "database: SQLite: SQLITE_NOTADB"),
        ("STORE__URL", "postgresql://me:secret-nobody-may-see@127.0.0.1:9/x", "database: no connection to"),
        ("STORE__JOURNAL", "{blocked}/journal", "journal: cannot create the folder"),
    ],
)
def test_unusable_store_is_told(world: World, name: str, place: str, word: str) -> None:
    """A store that cannot be opened, migrated or written is one line, and the rest is still checked."""
    blocked = world.folder / "file"
    blocked.write_text("in the way, and long enough to be no empty database", encoding="utf-8")

    ended = world.check(**{name: place.format(blocked=blocked)})

    [line] = list_lines(ended, "wrong")
    assert line.startswith(f"decision-log: {word}")
    assert ended.status == 1


def test_issuer_is_asked_for_its_keys(world: World) -> None:
    """A living issuer is ok; one without a key to sign with is wrong."""
    with serve_issuer(world.folder) as issuer:
        authority = world.folder / "ca.pem"
        issuer.ca.cert_pem.write_to_path(str(authority))
        world.settings["SSL_CERT_FILE"] = str(authority)
        settings = {"ADMIN__OIDC_ISSUER": issuer.url, "ADMIN__OIDC_AUDIENCE": AUDIENCE}
        good = world.check(**settings)
        issuer.keys.clear()
        bad = world.check(**settings)

    assert list_lines(good, "ok")[-1] == "sign-in: the issuer is there; keys to sign with: 1"
    assert (good.status, bad.status) == (0, 1)
    assert list_lines(bad, "wrong") == [
        "sign-in: the issuer has no key to sign with (it must sign with RSA or elliptic curves)"
    ]
