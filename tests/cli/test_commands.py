"""The commands beside `serve`."""

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from signal import SIGTERM
from subprocess import run
from typing import Any

import httpx
import pytest
from dirty_equals import IsPartialDict

from tests.support.console import Console
from tests.support.process import clean_environment
from tests.support.service import VIP_ANSWER, VIP_RULES

ROOT = Path(__file__).parents[1]
DEMO = {"SMARTROUTING_DEMO": "1"}
STORED_TEST = {
    "name": "a VIP",
    "call": {"anum": "+358501234567"},
    "caller": {"vip": True},
    "expect": {"rule": "vip", "redirect": "vip-queue"},
}


def write(folder: Path, document: object, name: str = "rules.json") -> str:
    """Write a JSON file, and return its path."""
    file = folder / name
    file.write_text(json.dumps(document), encoding="utf-8")
    return str(file)


def make_rules(**members: object) -> Mapping[str, object]:
    """Make the usual rules with a test that passes."""
    return {**VIP_RULES, "tests": [STORED_TEST], **members}


def test_lint_accepts_sound_rules(console: Console, tmp_path: Path) -> None:
    """Rules without a fault are no errors and status 0, without any other setting."""
    ended = console.run(tmp_path, "rules", "lint", write(tmp_path, make_rules()))

    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[-1].startswith("0 errors, ")


def rule(rule_id: str, then: object, **when: object) -> dict[str, object]:
    """Write a rule."""
    return {"id": rule_id, "then": then} | ({"when": when} if when else {})


QUEUE = {"redirect": "vip-queue"}
FAULTS: dict[str, tuple[list[dict[str, object]], str, str]] = {
    "unknown fact": ([rule("r", QUEUE, fact="caller.vipp", op="is", value=True)], "r", "caller.vip"),
    "unknown destination": ([rule("r", {"redirect": "vip-quue"})], "r", "vip-queue"),
    "wrong type": ([rule("r", QUEUE, fact="caller.vip", op="gt", value=3)], "r", "`gt`"),
    "unreachable": ([rule("a", QUEUE), rule("b", {"disconnect": True})], "b", ""),
    "no wire key": ([rule("r", QUEUE | {"extra_priority": 10})], "r", "extra_priority"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_lint_names_rule_and_place(console: Console, tmp_path: Path, name: str) -> None:
    """Each fault is one line with severity, place, rule and what to do."""
    rules, guilty, hint = FAULTS[name]

    ended = console.run(tmp_path, "rules", "lint", write(tmp_path, make_rules(rules=rules, tests=[])))

    *findings, total = ended.out.splitlines()
    line = next(line for line in findings if f"[{guilty}]" in line)
    severity = line.split(":")[0]
    assert line.startswith(f"{severity}: /rules/")
    assert hint in line
    assert ended.status == (1 if severity == "error" else 0)
    assert (severity == "error") == (not total.startswith("0 errors"))
    assert "Traceback" not in ended.err


def test_lint_finds_failing_tests(console: Console, tmp_path: Path) -> None:
    """A test that fails is a fault of the ruleset."""
    failing = STORED_TEST | {"expect": {"rule": "other"}}

    ended = console.run(tmp_path, "rules", "lint", write(tmp_path, make_rules(tests=[failing])))

    assert ended.status == 1
    assert "/tests/0" in ended.out


def test_rules_test_reports_each_test(console: Console, tmp_path: Path) -> None:
    """Every test is one line, failures say what differs, and the status tells whether all passed."""
    failing = STORED_TEST | {"name": "a stranger", "caller": {"status": "unknown", "vip": False}}

    good = console.run(tmp_path, "rules", "test", write(tmp_path, make_rules()))
    bad = console.run(tmp_path, "rules", "test", write(tmp_path, make_rules(tests=[STORED_TEST, failing])))
    none = console.run(tmp_path, "rules", "test", write(tmp_path, make_rules(tests=[])))

    assert (good.status, good.out.splitlines()[-1]) == (0, "1 passed, 0 failed")
    assert (bad.status, bad.out.splitlines()[-1]) == (1, "1 passed, 1 failed")
    assert bad.out.splitlines()[0].startswith("pass  a VIP: to queue VIP service")
    assert "FAIL  a stranger: " in bad.out
    assert (none.status, none.out) == (1, "0 passed, 0 failed: the ruleset carries no test\n")


@pytest.mark.parametrize("command", [("rules", "lint"), ("rules", "test"), ("simulate", "1", "--rules")])
@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe", b"[]", b'{"rules": 7}'])
def test_unusable_rules_file_is_one_line(
    console: Console, tmp_path: Path, command: tuple[str, ...], content: bytes | None
) -> None:
    """A file that is missing, no JSON or no ruleset is told without a traceback, with status 1."""
    file = tmp_path / "rules.json"
    if content is not None:
        file.write_bytes(content)

    ended = console.run(tmp_path, *command, str(file), **DEMO)

    assert ended.status == 1
    assert "Traceback" not in ended.err + ended.out
    assert ended.err.count("\n") + ended.out.count("error: ") == 1


def simulate(console: Console, folder: Path, *arguments: str, **settings: str) -> dict[str, Any]:
    """Simulate a call in the demo, and return the result."""
    ended = console.run(folder, "simulate", *arguments, **DEMO, **settings)
    assert (ended.status, ended.err) == (0, "")
    result: dict[str, Any] = json.loads(ended.out)
    return result


def test_simulate_a_file(console: Console, tmp_path: Path) -> None:
    """A ruleset file decides a made-up call with the caller the CRM knows, and leaves no data behind."""
    rules = write(tmp_path, make_rules())

    result = simulate(console, tmp_path, "0501234567", "--targetid", "SALES", "--queue", "q1", "--rules", rules)

    assert result["answer"] == {"status": 200, "body": VIP_ANSWER}
    assert result["facts"] == IsPartialDict({"call.target_id": "SALES", "call.queue_id": "q1", "caller.vip": True})
    assert result["trace"]["rules"][0] == IsPartialDict(id="vip", decided=True)
    assert not (tmp_path / "data" / "smartrouting.db").exists()


def test_simulate_reads_what_the_file_of_the_settings_asks_for(console: Console, tmp_path: Path) -> None:
    """Before the first start the file of the settings decides, by columns that nobody published a rule about."""
    title = rule("title", QUEUE, fact="caller.columns.jobtitle", op="exists", value=None)
    rules = write(tmp_path, make_rules(rules=[title], tests=[]))

    result = simulate(console, tmp_path, "+358501234567", SMARTROUTING_RULES__FILE=rules)

    assert (result["decision"]["rule"], result["facts"]["caller.columns.jobtitle"]) == ("title", "Toimitusjohtaja")


def test_simulate_a_pretended_caller(console: Console, tmp_path: Path) -> None:
    """A caller may be pretended, and a withheld number is an empty one."""
    rules = write(tmp_path, make_rules())

    vip = simulate(console, tmp_path, "+358401112233", "--caller", '{"vip": true}', "--rules", rules)
    hidden = simulate(console, tmp_path, "", "--rules", rules)

    assert (vip["source"], vip["answer"]["body"]) == ("given", VIP_ANSWER)
    assert (hidden["caller"]["status"], hidden["answer"]) == ("withheld", {"status": 204, "body": None})


def test_simulate_a_moment(console: Console, tmp_path: Path) -> None:
    """A call may be pretended to come at another time, so that opening hours can be tried."""
    result = simulate(console, tmp_path, "+358401112233", "--caller", "{}", "--at", "2026-12-24T08:30")

    assert result["facts"] == IsPartialDict({"time.local": "10:30", "time.weekday": "thu", "time.open": False})


def test_simulate_what_queue_and_administrators_say(console: Console, tmp_path: Path) -> None:
    """Parameters, language, switches and tables may be pretended, also for a draft on a machine without a service."""
    condition = {
        "all": [
            {"fact": "call.parameters.DYN_CUSTOMER", "op": "is", "value": "4711"},
            {"fact": "call.culture", "op": "is", "value": "fi-FI"},
            {"fact": "switch.night", "op": "is", "value": True},
            {"fact": "call.caller", "op": "in_table", "value": "staff"},
        ]
    }
    rules = write(
        tmp_path, make_rules(rules=[{"id": "all", "when": condition, "then": {"disconnect": True}}], tests=[])
    )
    (tmp_path / "staff.csv").write_text("number,name\n040 111 2233,Ann\n", encoding="utf-8")
    call = ("+358401112233", "--caller", "{}", "--rules", rules, "--culture", "fi-FI", "--switch", "night=on")
    more = ("--parameter", "DYN_CUSTOMER=4711", "--table", "staff=staff.csv")

    told = simulate(console, tmp_path, *call, *more)
    off = simulate(console, tmp_path, *call, *more, "--switch", "night=off")
    unheard = simulate(console, tmp_path, *call)

    assert [each["decision"].get("rule") for each in (told, off, unheard)] == ["all", None, None]
    assert unheard["facts"]["in_table.staff.call.caller"] == IsPartialDict(unknown="not_configured")


@pytest.mark.parametrize(
    "option",
    [
        ("--parameter", "DYN_X"),
        ("--parameter", "X=1"),
        ("--switch", "night"),
        ("--switch", "night=1"),
        ("--table", "staff"),
        ("--table", "staff=nothing.csv"),
    ],
)
def test_simulate_refuses_what_is_half_said(console: Console, tmp_path: Path, option: tuple[str, str]) -> None:
    """A mistake of an option is told, without a traceback."""
    ended = console.run(tmp_path, "simulate", "+358401112233", *option, **DEMO)

    assert (ended.status != 0, "Traceback" in ended.err, ended.err != "") == (True, False, True)


@pytest.mark.parametrize("caller", ["{", '"x"', '{"status": "rich"}', '{"unheard": 1}'])
def test_simulate_refuses_a_strange_caller(console: Console, tmp_path: Path, caller: str) -> None:
    """A pretended caller that cannot be read is refused without a traceback."""
    ended = console.run(tmp_path, "simulate", "+358401112233", "--caller", caller, **DEMO)

    assert ended.status in {1, 2}
    assert "Traceback" not in ended.err
    assert ended.err


def test_check_of_the_demo_is_all_right(console: Console, tmp_path: Path) -> None:
    """Every question about the embedded systems is answered well, one line each."""
    ended = console.run(tmp_path, "check", **DEMO)

    assert (ended.status, ended.err) == (0, "")
    *checked, last = ended.out.splitlines()
    assert {line.split()[0] for line in checked} == {"ok"}
    assert len(checked) == 7
    assert last == "not-needed  sign-in: administrators come with keys only"


def test_check_names_what_is_wrong(console: Console, tmp_path: Path) -> None:
    """A column that does not exist is one line that names it, with status 1."""
    columns = json.dumps(["mobilephone", "new_hotline"])

    ended = console.run(tmp_path, "check", **DEMO, SMARTROUTING_DATAVERSE__CONTACT_PHONE_COLUMNS=columns)

    assert ended.status == 1
    failures = [line for line in ended.out.splitlines() if line.startswith("wrong ")]
    assert any("new_hotline" in line for line in failures)
    assert "Traceback" not in ended.out + ended.err


def test_check_of_an_unreachable_organisation(console: Console, tmp_path: Path) -> None:
    """An organisation that does not answer is a failure, told in lines and not in a traceback."""
    settings = {
        "SMARTROUTING_WEBHOOK__API_KEYS": '{"queue": "some-key-for-the-queue"}',
        "SMARTROUTING_DATAVERSE__URL": "http://127.0.0.1:9",
        "SMARTROUTING_DATAVERSE__AUTH": "token",
        "SMARTROUTING_DATAVERSE__TOKEN": "secret-token",
    }

    ended = console.run(tmp_path, "check", **settings)

    assert ended.status == 1
    assert "wrong " in ended.out
    assert "Traceback" not in ended.out + ended.err
    assert "secret-token" not in ended.out + ended.err


def test_openapi_is_written(console: Console, tmp_path: Path) -> None:
    """The document goes to a file or to standard output, and needs no settings."""
    to_file = console.run(tmp_path, "openapi", "--output", "api.yaml")
    to_output = console.run(tmp_path, "openapi")

    assert (to_file.status, to_file.out, to_output.status) == (0, "", 0)
    assert (tmp_path / "api.yaml").read_text(encoding="utf-8") == to_output.out
    assert to_output.out.startswith("openapi: 3.1")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("rules",), ("emulate",), ("serve", "--help"), ("nonsense",)])
def test_help_is_offered(console: Console, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Without a command, or with one that does not exist, the console script says how it is used."""
    ended = console.run(tmp_path, *arguments)

    assert "Usage: smartrouting" in ended.out + ended.err
    assert "Traceback" not in ended.err


@contextmanager
def emulate(console: Console, folder: Path, *arguments: str) -> Iterator[list[str]]:
    """Serve an emulator on a free port, and give the lines it prints to be pasted."""
    with console.start(folder, "emulate", *arguments, "--port", "0") as running:
        told = takewhile(lambda line: "Ctrl-C" not in line, running.stderr)
        yield [line.strip() for line in told if line.startswith("  export ")]
        running.send_signal(SIGTERM)
        assert running.wait(30) == 0


def find_url(exports: list[str]) -> str:
    """Find the address among the lines."""
    return next(line for line in exports if "__URL=" in line).partition("=")[2]


def test_emulated_dataverse_answers(console: Console, tmp_path: Path) -> None:
    """The emulator grants a token over the wire and shows the tables of a file."""
    tables = write(tmp_path, {"contacts": [{"fullname": "Ann Example", "mobilephone": "+358501234567"}]}, "tables.json")

    with (
        emulate(console, tmp_path, "dataverse", "--data", tables) as exports,
        httpx.Client(base_url=find_url(exports)) as client,
    ):
        refused = client.get("/api/data/v9.2/contacts")
        granted = client.post(
            "/11111111-2222-4333-8444-555555555555/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": "0a0b0c0d-1111-4222-8333-444455556666",
                "client_secret": "demo-secret-not-for-production",
                "scope": f"{find_url(exports)}/.default",
            },
        )
        token = granted.json()["access_token"]
        found = client.get("/api/data/v9.2/contacts?$select=fullname", headers={"Authorization": f"Bearer {token}"})

    assert refused.status_code == 401
    assert [row["fullname"] for row in found.json()["value"]] == ["Ann Example"]


def test_emulated_graph_answers(console: Console, tmp_path: Path) -> None:
    """The emulator grants a token for a secret over the wire, and shows the secrets of its application."""
    with emulate(console, tmp_path, "graph") as exports, httpx.Client(base_url=find_url(exports)) as client:
        place = "/v1.0/applications(appId='0a0b0c0d-1111-4222-8333-444455556666')"
        refused = client.get(place)
        granted = client.post(
            "/11111111-2222-4333-8444-555555555555/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": "0a0b0c0d-1111-4222-8333-444455556666",
                "client_secret": "demo-secret-not-for-production",
                "scope": f"{find_url(exports)}/.default",
            },
        )
        client.headers["Authorization"] = f"Bearer {granted.json()['access_token']}"
        body = {"passwordCredential": {"displayName": "new", "endDateTime": "2098-03-01T00:00:00Z"}}
        added = client.post(f"{place}/addPassword", json=body).json()
        shown = client.get(place, params={"$select": "displayName,passwordCredentials"}).json()
        removed = client.post(f"{place}/removePassword", json={"keyId": added["keyId"]})

    assert (refused.status_code, removed.status_code) == (401, 204)
    assert set(shown) == {"displayName", "passwordCredentials"}
    assert shown["passwordCredentials"][1] == added | {"secretText": None}
    assert added["hint"] == added["secretText"][:3]


def test_emulated_dataverse_holds_as_many_customers_as_wanted(console: Console, tmp_path: Path) -> None:
    """For load tests, beside the rows of the sample or of a file."""
    arguments = ("dataverse", "--contacts", "30", "--accounts", "5", "--seed", "2")

    with emulate(console, tmp_path, *arguments) as exports:
        rows = httpx.get(f"{find_url(exports)}/_emulator/state").json()["rows"]

    assert (rows["contacts"], rows["accounts"]) == (90, 20)


def test_printed_lines_lead_to_the_emulators(console: Console, tmp_path: Path) -> None:
    """Pasted into a shell, the lines that both emulators print make the check pass, Enreach included."""
    check = f"{shlex.quote(sys.executable)} -m app.cli check"
    with emulate(console, tmp_path, "dataverse") as dataverse, emulate(console, tmp_path, "enreach") as enreach:
        ended = run(  # noqa: S603 - the lines are meant to be pasted
            ["/bin/sh", "-c", "\n".join([*dataverse, *enreach, check])],
            cwd=tmp_path,
            env={**clean_environment({}), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert (ended.returncode, ended.stderr) == (0, "")
    told = ended.stdout.splitlines()
    assert any("columns of systemuser: new_enreachemail, new_enreachuserid" in line for line in told)
    assert "ok          enreach: Enreach API: answers, and accepts the key" in told


@pytest.mark.parametrize("system", ["dataverse", "enreach"])
@pytest.mark.parametrize("content", [None, "{", '{"unheard": []}', '{"contacts": 7}'])
def test_emulator_refuses_unusable_tables(console: Console, tmp_path: Path, system: str, content: str | None) -> None:
    """A data file that cannot be used is one line and status 1."""
    file = tmp_path / "tables.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")

    ended = console.run(tmp_path, "emulate", system, "--port", "0", "--data", str(file))

    assert (ended.status, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith("smartrouting: ")


def test_columns_of_a_file_are_described_once(console: Console, tmp_path: Path) -> None:
    """Lint says what it could not check; `rules columns` writes types and labels, by which lint finds a wrong label."""
    fact = "account.columns.accountcategorycode"
    write(tmp_path, make_rules(rules=[rule("gold", QUEUE, fact=fact, op="is", value="Gold")], tests=[]))

    before = console.run(tmp_path, "rules", "lint", "rules.json")
    written = console.run(tmp_path, "rules", "columns", "rules.json", **DEMO)
    after = console.run(tmp_path, "rules", "lint", "rules.json")

    assert (before.status, before.out.splitlines()[0].partition(",")[0]) == (
        0,
        f"not checked: the types and choices of {fact}",
    )
    assert (written.status, written.out) == (0, "described: account.accountcategorycode\n")
    assert after.status == 1
    assert f'{fact} has no choice "Gold" (there are 1 (Preferred Customer), 2 (Standard))' in after.out
