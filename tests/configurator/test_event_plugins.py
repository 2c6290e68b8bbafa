"""Plugins that live elsewhere: hooks over HTTP and packages, which may hang, crash and lie."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from dirty_equals import IsPartialDict, IsStr
from standardwebhooks.webhooks import Webhook

from app.configurator.events.catalogue import EventRow, RowStatus
from app.configurator.events.context import EventContext
from app.configurator.events.plugin import InstalledPlugin, NoParameters, PluginError, load_plugins
from app.configurator.events.run import run_plugin
from app.operations.hook_sender import AddressPolicy, HookFailedError, HookSender
from app.operations.signed_hooks import HookMessage
from tests.dataverse.loopback import serve
from tests.support.events import CALL, LOCAL, Receiver, add_row, post_event
from tests.support.organisation import Organisation, open_organisation
from tests.support.service import ADMIN_KEY

EXAMPLE = Path(__file__).parents[2] / "examples" / "caller-country"
CUSTOMER = {"logicalName": "account", "id": "a0000000-0000-4000-8000-000000000009", "name": "Adatum"}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = HookMessage(id="m", type="user-login", at=0.0, data={})


@pytest.fixture
def receiver() -> Receiver:
    """What the hooks reach."""
    return Receiver()


@pytest.fixture
def url(receiver: Receiver) -> Iterator[str]:
    """Where it is."""
    with serve(receiver) as address:
        yield address


async def call_hook(tmp_path: Path, url: str, event: str = "user-login", **row: Any) -> tuple[Any, dict[str, Any]]:
    """Run an event whose first row is a hook, and whose second one is another; return the answer and the first row."""
    async with open_organisation(tmp_path, plugins=LOCAL) as organisation:
        hook = await add_row(organisation, event, "https-hook", parameters={"url": url}, **row)
        await organisation.send("POST", f"/admin/events/{event}/activate", {"numbers": [51]})
        context = {"phoneNumber": "+358501234567", "eventData": {"serverSideCallId": CALL, "template": 1}}
        return (await post_event(organisation.service, event, **context)).json(), hook


async def test_a_hook_gets_the_context_signed_and_changes_it(tmp_path: Path, receiver: Receiver, url: str) -> None:
    """The signature is that of Standard Webhooks; what the answer holds is taken over, and the next row sees it."""
    receiver.answer = json.dumps({"customer": CUSTOMER, "results": {"https-hook": {"tier": "gold"}}}).encode()

    answer, hook = await call_hook(tmp_path, url)

    headers, body = receiver.got[0]
    Webhook(hook["parameters"]["secret"]).verify(body, headers)
    assert json.loads(body) == {
        "type": "user-login",
        "timestamp": IsStr,
        "data": {
            "eventId": "user-login",
            "phoneNumber": "+358501234567",
            "eventData": {"serverSideCallId": CALL, "template": 1},
        },
    }
    assert (answer["context"]["customer"], answer["context"]["results"]) == (CUSTOMER, {"https-hook": {"tier": "gold"}})
    trace = [(entry["changed"], entry["error"]) for entry in answer["trace"]]
    assert trace == [(["customer", "results"], None), ([], None)]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", None),
        (b"{}", None),
        (b"no JSON", "the answer is no JSON"),
        (b"[1]", "the answer is no JSON object with keys of the context"),
        (b'{"customer": {"logicalName": "lead", "id": "x"}}', IsStr(regex=r"the answer is no context: /customer/.*")),
        (b'{"phoneNumber": "+358407654321"}', "changed /phoneNumber, which it may not"),
        (b'{"note": "hello"}', "changed /note, which it may not"),
        (b'{"results": {"vip-check": {"vip": true}}}', "changed /results, which it may not"),
        (b'{"eventData": {"sessionTemplateId": "x"}}', "changed /eventData, which it may not"),
    ],
)
async def test_what_a_hook_answers_is_checked(
    tmp_path: Path, receiver: Receiver, url: str, answer: bytes, error: object
) -> None:
    """Anything but a change that a plugin may make changes nothing, and the next row runs."""
    receiver.answer = answer

    result, _ = await call_hook(tmp_path, url)

    assert [(entry["plugin"], entry["error"]) for entry in result["trace"]] == [
        ("https-hook", error),
        ("identify-customer", None),
    ]
    assert result["context"]["phoneNumber"] == "+358501234567"
    assert result["context"]["customer"]["name"] == "Helena Aaltonen"


async def test_the_session_may_be_changed_before_it_is_made(tmp_path: Path, receiver: Receiver, url: str) -> None:
    """Parameters and template, and nothing else of the call object."""
    changed = {"serverSideCallId": CALL, "template": 1, "sessionTemplateId": "vip", "sessionParameters": {"a": 1}}
    receiver.answer = json.dumps({"eventData": changed}).encode()

    answer, _ = await call_hook(tmp_path, url, "beforeCreateInboundCallSession")

    assert (answer["context"]["eventData"], answer["trace"][0]["error"]) == (changed, None)


async def _pour(send: Any) -> None:
    for _ in range(1600):
        await send({"type": "http.response.body", "body": b" " * 65_536, "more_body": True})


async def _hang(_send: Any) -> None:
    await asyncio.sleep(5)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"status": 500}, "the receiver answered 500"),
        (
            {"status": 302, "headers": [(b"location", b"http://169.254.169.254/latest/meta-data")]},
            "the receiver answered with a redirect, which is not followed",
        ),
        ({"stream": _pour}, "the answer has more than 256 KB"),
        ({"stream": _hang}, IsStr(regex=r"took longer than it may \(300 ms.*")),
        ({"headers": [(b"content-encoding", b"gzip")], "answer": b"\x1f\x8b"}, "the answer is no JSON"),
    ],
    ids=["crashes", "redirects", "pours", "hangs", "packed"],
)
async def test_a_hook_in_trouble_is_left_behind(
    tmp_path: Path, receiver: Receiver, url: str, options: dict[str, Any], error: object
) -> None:
    """The row tells it within its limit, and the next one runs."""
    for name, value in options.items():
        setattr(receiver, name, value)
    limit = {"timeout_ms": 300} if options.get("stream") is _hang else {"timeout_ms": 20_000}

    result, _ = await call_hook(tmp_path, url, **limit)

    assert [entry["error"] for entry in result["trace"]] == [error, None]
    assert len(receiver.got) == 1


async def test_the_time_of_the_event_ends_all_rows(tmp_path: Path, receiver: Receiver, url: str) -> None:
    """Rows that it does not suffice for are told as such."""
    receiver.stream = _hang
    plugins = {**LOCAL, "event_timeout_ms": 300}
    async with open_organisation(tmp_path, plugins=plugins) as organisation:
        for _ in range(2):
            await add_row(organisation, "user-login", "https-hook", parameters={"url": url})
        answer = await post_event(organisation.service, "user-login")

    assert [entry["error"] for entry in answer.json()["trace"]] == [
        IsStr(regex="took longer than it may .*"),
        "not run: the time of the event was over",
    ]


async def test_a_signed_webhook_is_told_and_changes_nothing(tmp_path: Path, receiver: Receiver, url: str) -> None:
    """An event that the client repeats has the same message id."""
    receiver.answer = b'{"phoneNumber": "x"}'
    async with open_organisation(tmp_path, plugins=LOCAL) as organisation:
        change = {"parameters": {"url": url}, "status": "active"}
        await organisation.send("PATCH", "/admin/events/user-login/plugins/56", change)
        event = {"eventData": {"serverSideCallId": CALL}, "userId": "u-1"}
        answers = [await post_event(organisation.service, "user-login", **event) for _ in range(2)]

    assert [headers["webhook-id"] for headers, _ in receiver.got] == [f"user-login.{CALL}.u-1"] * 2
    assert [answer.json()["trace"][0]["error"] for answer in answers] == [None, None]
    assert receiver.contexts == [{"eventId": "user-login", **event}] * 2


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost",
        "0.0.0.0",  # noqa: S104 - reached as this machine
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::1]",
        "①②⑦.0.0.1",
    ],
)
async def test_private_addresses_are_not_reached(host: str) -> None:
    """Whatever the form in which they are written."""
    sender = HookSender(policy=AddressPolicy(()), clock=lambda: 0.0)

    with pytest.raises(HookFailedError, match=r"private|no usual form"):
        await sender.post(f"https://{host}:9/", SECRET, MESSAGE)
    await sender.aclose()


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["93.184.215.14", "169.254.169.254"], ["::1"]])
async def test_a_name_that_means_a_private_address_is_not_reached(addresses: list[str]) -> None:
    """Also when another of its addresses is public."""

    def resolve(_host: str, port: int, **_options: object) -> list[Any]:
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(kinds[":" in each], socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    sender = HookSender(policy=AddressPolicy(()), clock=lambda: 0.0, resolve=resolve)

    with pytest.raises(HookFailedError, match="private"):
        await sender.post("https://hooks.example.com/", SECRET, MESSAGE)
    await sender.aclose()


async def test_the_address_that_was_judged_is_the_one_that_is_reached(url: str, receiver: Receiver) -> None:
    """A name that means something else a moment later leads nowhere else: it is asked for once."""
    asked: list[str] = []

    def resolve(host: str, port: int, **_options: object) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    sender = HookSender(policy=AddressPolicy([ip_network("127.0.0.0/8")]), clock=lambda: 0.0, resolve=resolve)
    await sender.post(url.replace("localhost", "hooks.example.com"), SECRET, MESSAGE)
    await sender.aclose()

    assert (asked, receiver.got[0][0]["host"].split(":")[0]) == (["hooks.example.com"], "hooks.example.com")


class Blocks:
    """Blocks its thread, then crashes, by the number of the call."""

    id = "blocks"
    description = "Blocks."
    parameters = NoParameters

    def __init__(self) -> None:
        self.release = threading.Event()

    async def run(self, context: EventContext, _parameters: NoParameters) -> EventContext:
        """Block as long as nobody lets go."""
        self.release.wait(30)
        return context

    def preview(self, _context: EventContext, _parameters: NoParameters) -> None:
        """Read only, it says."""


async def test_blocking_code_of_a_package_holds_up_its_own_row_only() -> None:
    """The event loop, and so every call, goes on; the row ends at its limit."""
    plugin = Blocks()
    row = EventRow(number=1, plugin="blocks", order=1, status=RowStatus.ACTIVE)
    running = asyncio.create_task(
        run_plugin(InstalledPlugin(plugin, built_in=False, apart=True), EventContext(), row, seconds=0.2)
    )
    ticks = 0
    while not running.done():
        await asyncio.sleep(0)
        ticks += 1
    plugin.release.set()

    assert isinstance(running.exception(), TimeoutError)
    assert ticks > 10


class Quits(Blocks):
    """Leaves in ways that a plugin should not."""

    async def run(self, _context: EventContext, _parameters: NoParameters) -> EventContext:
        """Quit."""
        raise SystemExit(1)


async def test_a_package_cannot_end_the_process() -> None:
    """It ends its own row."""
    row = EventRow(number=1, plugin="blocks", order=1, status=RowStatus.ACTIVE)

    with pytest.raises(PluginError, match="ended with SystemExit"):
        await run_plugin(InstalledPlugin(Quits(), built_in=False, apart=True), EventContext(), row, seconds=5)


async def test_the_example_is_a_package_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed, it is listed, takes parameters by its schema, runs, and may run on the test bench."""
    install_example(tmp_path / "packages", monkeypatch)
    folder = tmp_path / "service"
    folder.mkdir()
    async with open_organisation(folder) as organisation:
        listed = (await organisation.get("/admin/events")).json()["plugins"]
        wrong = await send_row(organisation, {"plugin": "caller-country", "parameters": {"tongue": "de"}})
        await add_row(organisation, "user-login", "caller-country", parameters={"home": "SE"})
        ran = (await post_event(organisation.service, "user-login", phoneNumber="+358501234567")).json()
        odd = (await post_event(organisation.service, "user-login", phoneNumber="x")).json()
        tested = await organisation.send("POST", "/admin/events/user-login/test", {"phoneNumber": "+46701234567"})

    assert listed[-1] == IsPartialDict(id="caller-country", built_in=False)
    assert wrong == (422, ["/parameters/tongue"])
    assert ran["context"]["results"] == {"caller-country": {"country": "FI", "abroad": True}}
    assert odd["trace"][0]["error"] == "the number is not in E.164"
    assert tested.json()["context"]["results"] == {"caller-country": {"country": "SE", "abroad": False}}


def test_the_test_of_the_example_passes() -> None:
    """It needs nothing but the program."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", ".", "."],
        cwd=EXAMPLE,
        env={
            "PYTHONPATH": f"{EXAMPLE}:{EXAMPLE.parents[1]}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_an_entry_point_that_cannot_be_loaded_keeps_no_other_from_working() -> None:
    """It is listed with the reason."""
    names = {"gone": "no_such_module:Plugin", "odd": "json:loads"}
    offered = [EntryPoint(name, place, "smartrouting.plugins") for name, place in names.items()]

    plugins = load_plugins([InstalledPlugin(Blocks(), built_in=False)], offered)

    assert [each.plugin.id for each in plugins.list_all()] == ["blocks"]
    assert plugins.broken == {
        "gone": "ModuleNotFoundError while it was loaded",
        "odd": "TypeError while it was loaded",
    }


def install_example(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the example where Python finds packages, with the entry points of its pyproject.toml."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    offered = project["entry-points"]["smartrouting.plugins"]
    lines = ["[smartrouting.plugins]", *(f"{name} = {place}" for name, place in offered.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.syspath_prepend(str(EXAMPLE))


async def send_row(organisation: Organisation, body: dict[str, Any]) -> tuple[int, list[str]]:
    """Add a row that is refused."""
    refused = await organisation.send("POST", "/admin/events/user-login/plugins", body, key=ADMIN_KEY)
    return refused.status_code, [error["pointer"] for error in refused.json()["errors"]]
