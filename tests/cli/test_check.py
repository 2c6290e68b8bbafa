"""`smartrouting check` against the emulated systems over real HTTP: what is wrong is one line that names it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

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
        assert {read_state(line) for line in ended.out.splitlines()} <= {"ok", "wrong", "not configured"}
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
    """Read the first word, or words, of a line."""
    return line[:14].strip()


def list_lines(ended: Ended, state: str) -> list[str]:
    """List what is in a state, without the word for it."""
    return [line[16:] for line in ended.out.splitlines() if read_state(line) == state]


def test_everything_right_is_ok_and_changes_nothing(world: World) -> None:
    """Every system has its lines, the status is 0, and the store is as empty as before, and private."""
    first = world.check(RULES__FILE=world.write_rules())
    second = world.check(RULES__FILE=world.write_rules())

    assert (first.status, first.out) == (0, second.out)
    assert list_lines(first, "not configured") == ["sign-in issuer: administrators come with keys only"]
    assert list_lines(first, "ok")[:3] == [
        "store: empty; the first start creates its tables",
        "journal: can be written",
        "rules: 1 from the file rules.json",
    ]
    assert list_lines(first, "ok")[-3:] == [
        "roles of Voice: Voice Admin User, Voice ApiUser, Voice User",
        "Enreach API: answers, and accepts the key",
        "queues and users: Enreach knows those of the rules (1)",
    ]
    assert oct((world.folder / "data" / "smartrouting.db").stat().st_mode)[-3:] == "600"


def test_what_is_not_configured_is_no_fault(world: World) -> None:
    """Without rules, Enreach and an issuer the rest is checked, and the status is 0."""
    ended = world.check(ENREACH__URL="")

    assert ended.status == 0
    assert [line.split(":")[0] for line in list_lines(ended, "not configured")] == [
        "rules",
        "Enreach API",
        "sign-in issuer",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param(
            {"ENREACH__SECRET": "wrong"},
            "Enreach API: GET /users/me: answered 401 "
            "(check SMARTROUTING_ENREACH__USER and SMARTROUTING_ENREACH__SECRET)",
            id="wrong-key",
        ),
        pytest.param(
            {"ENREACH__URL": "http://127.0.0.1:9"},
            "Enreach API: GET /users/me: the connection failed (ConnectError) (check SMARTROUTING_ENREACH__URL)",
            id="dead-enreach",
        ),
        pytest.param(
            {"DATAVERSE__AGENT_ID_COLUMN": "new_enreachuserid", "DATAVERSE__AGENT_EMAIL_COLUMN": "new_nowhere"},
            "column systemuser.new_nowhere: does not exist "
            "(correct SMARTROUTING_DATAVERSE__AGENT_EMAIL_COLUMN, or add the column to systemuser)",
            id="missing-column",
        ),
        pytest.param(
            {"ADMIN__OIDC_ISSUER": "http://127.0.0.1:9/realms/contoso", "ADMIN__OIDC_AUDIENCE": AUDIENCE},
            "sign-in issuer: the issuer does not answer (ConnectError) (check SMARTROUTING_ADMIN__OIDC_ISSUER)",
            id="dead-issuer",
        ),
        pytest.param(
            {"RULES__FILE": "nowhere.json"},
            "rules: cannot read the ruleset file nowhere.json: No such file or directory",
            id="no-rules-file",
        ),
    ],
)
def test_each_fault_is_one_line(world: World, changes: dict[str, str], line: str) -> None:
    """The line names what is wrong and the setting, everything else is still checked, and the status is 1."""
    ended = world.check(**changes)

    assert (ended.status, list_lines(ended, "wrong")) == (1, [line])
    assert "read contact: every row" in list_lines(ended, "ok")


def test_wrong_token_is_told(world: World) -> None:
    """A token that Dataverse does not take ends its lines, and the other systems are still asked."""
    ended = world.check(DATAVERSE__TOKEN="another")

    [line] = list_lines(ended, "wrong")
    assert line.startswith("application user: ")
    assert "Enreach API: answers, and accepts the key" in list_lines(ended, "ok")


def test_missing_roles_are_named(world: World) -> None:
    """A role of Voice that the environment does not have is told by its name."""
    for row in world.dataverse.tables.rows("roles"):
        if row["name"] == "Voice ApiUser":
            row["name"] = "Voice Something"

    [line] = list_lines(world.check(), "wrong")
    assert line.startswith("role Voice ApiUser: does not exist (install Voice for Dynamics 365 in this environment")


def test_lost_destinations_are_named(world: World) -> None:
    """A queue or user of the ruleset that Enreach does not know is told by its place, with the id that is near."""
    places: dict[str, Any] = {
        "vip-queue": {"kind": "queue", "id": QUEUE[:-1] + "f"},
        "overflow": {"kind": "user", "id": "nobody"},
    }

    ended = world.check(RULES__FILE=world.write_rules(destinations=places))

    queue, user = list_lines(ended, "wrong")
    assert queue.startswith("rules /destinations/vip-queue/id: Enreach has no queue with this id (")
    assert QUEUE in queue
    assert user.startswith("rules /destinations/overflow/id: Enreach has no user with this id")


def test_unsound_rules_are_told(world: World) -> None:
    """A ruleset file that could not be published is one line with the places."""
    ended = world.check(RULES__FILE=world.write_rules(rules=[{"id": "a", "then": {"redirect": "nowhere"}}]))

    [line] = list_lines(ended, "wrong")
    assert line.startswith("rules: ")
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

    assert {"rules: 1 from revision 1", "journal: can be written"} <= set(list_lines(ended, "ok"))
    assert [line.partition(":")[0] for line in list_lines(ended, "wrong")] == ["rules /destinations/vip-queue/id"]


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

    assert "rules: 1 from the file rules.json" in list_lines(ended, "ok")
    [wrong] = list_lines(ended, "wrong")
    assert wrong.startswith("column contact.nowhere: does not exist")


@pytest.mark.parametrize(
    ("name", "place", "word"),
    [
        ("STORE__URL", "sqlite:///{blocked}/x.db", "store: cannot create the folder"),
        ("STORE__URL", "sqlite:///{blocked}", "store: SQLite: SQLITE_NOTADB"),
        ("STORE__URL", "postgresql://me:secret-nobody-may-see@127.0.0.1:9/x", "store: no connection to the database"),
        ("STORE__JOURNAL", "{blocked}/journal", "journal: cannot create the folder"),
    ],
)
def test_unusable_store_is_told(world: World, name: str, place: str, word: str) -> None:
    """A store that cannot be opened, migrated or written is one line, and the rest is still checked."""
    blocked = world.folder / "file"
    blocked.write_text("in the way, and long enough to be no empty database", encoding="utf-8")

    ended = world.check(**{name: place.format(blocked=blocked)})

    [line] = list_lines(ended, "wrong")
    assert line.startswith(word)
    assert ended.status == 1


def test_issuer_is_asked_for_its_keys(world: World) -> None:
    """A living issuer has two lines; without a key to sign with the second one is wrong."""
    with serve_issuer(world.folder) as issuer:
        authority = world.folder / "ca.pem"
        issuer.ca.cert_pem.write_to_path(str(authority))
        world.settings["SSL_CERT_FILE"] = str(authority)
        settings = {"ADMIN__OIDC_ISSUER": issuer.url, "ADMIN__OIDC_AUDIENCE": AUDIENCE}
        good = world.check(**settings)
        issuer.keys.clear()
        bad = world.check(**settings)

    assert list_lines(good, "ok")[-2:] == [
        "sign-in issuer: the discovery document is there",
        "sign-in keys: 1 to sign with",
    ]
    assert (good.status, bad.status) == (0, 1)
    assert list_lines(bad, "wrong") == [
        "sign-in keys: 0 to sign with (the issuer must sign with RSA or elliptic curves)"
    ]
