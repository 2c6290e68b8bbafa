"""The service as a process: how it starts, refuses to start, and stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.console import Console, Running
from tests.support.process import clean_environment
from tests.support.service import VIP_ANSWER, VIP_RULES, WEBHOOK_KEY

ROOT = Path(__file__).parents[1]
KEY = {"X-Benemen-APIKey": WEBHOOK_KEY}
DEPLOYMENT = {
    "SMARTROUTING_PORT": "0",
    "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"queue": WEBHOOK_KEY}),
    "SMARTROUTING_DATAVERSE__AUTH": "token",
    "SMARTROUTING_DATAVERSE__TOKEN": "fake-token",
}


def make_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Make the environment of a process that runs this checkout."""
    return {**clean_environment(settings), "PYTHONPATH": str(ROOT)}


@contextmanager
def start(console: Console, folder: Path, **settings: str) -> Iterator[tuple[Running, str]]:
    """Start a server, wait until it says where it is, and give its URL."""
    with console.start(folder, "serve", **settings) as running:
        line = running.read_until("http://")
        yield running, line[line.index("http://") :].split()[0].removesuffix("/smartrouting")


@contextmanager
def slow_dataverse() -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """Listen as a Dataverse that answers nothing until it is allowed to; give its URL and the two events."""
    asked, allowed = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(8) as pool:

        def serve(connection: socket.socket) -> None:
            with connection:
                connection.recv(65536)
                asked.set()
                allowed.wait(10)
                body = b'{"value": []}'
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                pool.submit(serve, connection)

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked, allowed
        finally:
            allowed.set()
            listener.shutdown(socket.SHUT_RDWR)


def write_rules(folder: Path, text: str) -> str:
    """Write a rules file, and return its path."""
    file = folder / "rules.json"
    file.write_text(text, encoding="utf-8")
    return str(file)


@contextmanager
def prepare(problem: str, folder: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Arrange one thing that keeps the service from starting; give settings and a word its message must hold."""
    blocked = folder / "file"
    blocked.write_text("in the way", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        unsound = {"rules": [{"id": "a", "when": {"fact": "caller.vipp", "op": "exists"}, "then": {"no_change": True}}]}
        lost = {"rules": [{"id": "a", "then": {"redirect": "nowhere"}}]}
        cases: dict[str, tuple[dict[str, str], str]] = {
            "busy port": ({"SMARTROUTING_PORT": port}, "SMARTROUTING_PORT"),
            "no such host": ({"SMARTROUTING_HOST": "no-such-host.invalid", "SMARTROUTING_DEMO": ""}, "no-such-host"),
            "data folder in the way": ({"SMARTROUTING_STORE__URL": f"sqlite:///{blocked}/x.db"}, str(blocked)),
            "database is a folder": ({"SMARTROUTING_STORE__URL": f"sqlite:///{folder}"}, str(folder)),
            "unknown setting": ({"SMARTROUTING_WEBHOOK__APIKEYS": "{}"}, "SMARTROUTING_WEBHOOK__API_KEYS"),
            "no JSON": ({"SMARTROUTING_WEBHOOK__API_KEYS": "{secret"}, "SMARTROUTING_WEBHOOK__API_KEYS"),
            "rules are missing": ({"SMARTROUTING_RULES__FILE": str(folder / "none.json")}, "none.json"),
            "rules are no JSON": ({"SMARTROUTING_RULES__FILE": write_rules(folder, "{")}, "line 1"),
        }
        if problem == "rules are unsound":
            yield {"SMARTROUTING_RULES__FILE": write_rules(folder, json.dumps(unsound))}, "caller.vip"
        elif problem == "rules are lost":
            yield {"SMARTROUTING_RULES__FILE": write_rules(folder, json.dumps(lost))}, "nowhere"
        elif problem == "broken .env":
            (folder / ".env").write_text("SMARTROUTING_PORT=1\n'unfinished\n", encoding="utf-8")
            yield {}, ".env"
        else:
            yield cases[problem]


def test_the_demo_of_a_container_says_where_it_is_reached(console: Console, tmp_path: Path) -> None:
    """With the settings of the image it listens on every address, and names one that a browser can go to."""
    everywhere = {"SMARTROUTING_HOST": "0.0.0.0", "SMARTROUTING_DEMO_ANY_HOST": "1"}  # noqa: S104 - as the image has it

    with console.serve_demo(tmp_path, **everywhere) as (url, _):
        ready = httpx.get(f"{url}/health/ready")

    assert (url.rpartition(":")[0], ready.status_code) == ("http://127.0.0.1", 200)


@pytest.mark.parametrize(
    "problem",
    [
        *("busy port", "no such host", "data folder in the way", "database is a folder"),
        *(
            "unknown setting",
            "no JSON",
            "rules are missing",
            "rules are no JSON",
            "rules are unsound",
            "rules are lost",
        ),
        "broken .env",
    ],
)
def test_refusing_to_start_takes_one_line(console: Console, tmp_path: Path, problem: str) -> None:
    """What keeps the service from starting is one line on standard error and exit status 1, without a traceback."""
    url = {"SMARTROUTING_DATAVERSE__URL": "http://127.0.0.1:9"}
    with prepare(problem, tmp_path) as (settings, word):
        ended = console.run(tmp_path, "serve", **{**DEPLOYMENT, **url, **settings})

    lines = ended.err.strip().splitlines()
    assert (ended.status, len(lines)) == (1, 1), ended.err
    assert lines[0].startswith("smartrouting: ")
    assert word in lines[0]
    assert "Traceback" not in ended.out + ended.err
    assert "secret" not in ended.out + ended.err


def test_nothing_configured_is_refused(console: Console, tmp_path: Path) -> None:
    """A start with no settings at all names what is missing."""
    ended = console.run(tmp_path, "serve")

    assert ended.status == 1
    assert ended.err.strip() == (
        "smartrouting: set SMARTROUTING_WEBHOOK__API_KEYS or SMARTROUTING_WEBHOOK__BASIC_USERS: "
        "nobody could call the webhook"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_finishes_the_call_under_way(console: Console, tmp_path: Path, number: signal.Signals) -> None:
    """A signal lets the call under way be answered, and then the process ends with exit status 0."""
    rules = VIP_RULES | {"rules": [{"id": "all", "then": {"redirect": "vip-queue", "on_fail": "overflow"}}]}
    settings = {**DEPLOYMENT, "SMARTROUTING_RULES__FILE": write_rules(tmp_path, json.dumps(rules))}
    settings["SMARTROUTING_WEBHOOK__DEADLINE_MS"] = "4900"
    with (
        slow_dataverse() as (url, asked, allowed),
        ThreadPoolExecutor(1) as pool,
        start(console, tmp_path, **settings, SMARTROUTING_DATAVERSE__URL=url) as (process, place),
    ):
        call = pool.submit(httpx.post, f"{place}/smartrouting", headers=KEY, json={"anum": "+358501234567"}, timeout=90)
        assert asked.wait(10)
        process.send_signal(number)
        refused = wait_until_closed(place)
        allowed.set()
        answer = call.result(timeout=90)
        status = process.wait(timeout=90)
        said = process.stderr.read()

    assert refused
    assert (answer.status_code, answer.json()) == (200, VIP_ANSWER)
    assert (status, said) == (0, "")


def test_call_that_arrives_as_the_service_stops_is_answered(console: Console, tmp_path: Path) -> None:
    """On a connection that is already there, a call sent while the service stops is answered as its last one."""
    settings = {**DEPLOYMENT, "SMARTROUTING_DATAVERSE__URL": "http://127.0.0.1:1"}
    with (
        start(console, tmp_path, **settings) as (process, place),
        httpx.Client(base_url=place, headers=KEY, timeout=90) as queue,
    ):
        before = queue.post("/smartrouting", json={"anum": "anonymous"})
        process.send_signal(signal.SIGTERM)
        refused = wait_until_closed(place)
        after = queue.post("/smartrouting", json={"anum": "anonymous"})
        status = process.wait(timeout=90)

    assert refused
    assert (before.status_code, before.headers.get("connection")) == (204, None)
    assert (after.status_code, after.headers.get("connection")) == (204, "close")
    assert status == 0


def test_a_service_that_is_to_end_answers_until_others_have_noticed(console: Console, tmp_path: Path) -> None:
    """After SIGTERM it is not ready, and answers calls on new connections; a second one ends it at once."""
    settings = {**DEPLOYMENT, "SMARTROUTING_DATAVERSE__URL": "http://127.0.0.1:1", "SMARTROUTING_DRAIN_SECONDS": "300"}
    with start(console, tmp_path, **settings) as (process, place):
        ready = httpx.get(f"{place}/health/ready", timeout=90)
        process.send_signal(signal.SIGTERM)
        leaving = wait_until_unready(place)
        alive = httpx.get(f"{place}/health/live", timeout=90)
        answer = httpx.post(f"{place}/smartrouting", headers=KEY, json={"anum": "anonymous"}, timeout=90)
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=90)

    assert (ready.status_code, alive.status_code, answer.status_code, status) == (200, 200, 204, 0)
    assert (leaving.status_code, leaving.json()["type"]) == (503, "urn:smartrouting:problem:leaving")


def test_a_service_that_is_to_end_ends_by_itself(console: Console, tmp_path: Path) -> None:
    """When the time is over, the process ends with exit status 0."""
    settings = {**DEPLOYMENT, "SMARTROUTING_DATAVERSE__URL": "http://127.0.0.1:1", "SMARTROUTING_DRAIN_SECONDS": "0.2"}
    with start(console, tmp_path, **settings) as (process, _):
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=90) == 0


def wait_until_unready(place: str) -> httpx.Response:
    """Ask until the service is not ready any more."""
    for _ in range(2000):
        answer = httpx.get(f"{place}/health/ready", timeout=90)
        if answer.status_code != 200:
            return answer
    raise TimeoutError("the service is still ready")


def wait_until_closed(place: str) -> bool:
    """Connect until nobody listens any more."""
    url = httpx.URL(place)
    for _ in range(2000):
        try:
            with socket.create_connection((url.host, url.port or 0), timeout=30):
                threading.Event().wait(0.01)
        except OSError:
            return True
    return False


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Run the demo; give its URL and the line it offers to try, and see that Ctrl-C ends it well."""
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve"],
        cwd=tmp_path_factory.mktemp("demo"),
        # The first call asks Dataverse, which on a busy machine takes longer than the usual deadline.
        env=make_environment(
            {"SMARTROUTING_DEMO": "1", "SMARTROUTING_PORT": "0", "SMARTROUTING_WEBHOOK__DEADLINE_MS": "4900"}
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "curl " in line)
        yield line[line.index("http://") :].split("/smartrouting")[0], line
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_demo_says_what_to_try(demo: tuple[str, str]) -> None:
    """The line that the demo prints for the terminal works as it is."""
    answer = subprocess.run(  # noqa: S602 - the line is meant to be pasted
        demo[1], shell=True, capture_output=True, text=True, timeout=90, check=True
    )

    head, *_, body = answer.stdout.splitlines()
    assert head.strip() == "HTTP/1.1 200 OK"
    assert json.loads(body) == {
        "InitialTarget": "1a89fc22-517a-e611-80c9-00505689257e",
        "FailTarget": "+358401234567",
    }


def test_stranger_is_refused_before_the_body_is_sent(demo: tuple[str, str]) -> None:
    """Over the wire too a wrong key is answered without asking for the body."""
    url = httpx.URL(demo[0])
    with socket.create_connection((url.host, url.port or 0), timeout=60) as connection:
        head = "POST /smartrouting HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 50000\r\n"
        connection.sendall(f"{head}X-Benemen-APIKey: wrong\r\n\r\n".encode())
        first = connection.recv(4096)

    assert first.startswith(b"HTTP/1.1 401 ")


def test_swagger_ui_is_served_from_local_files(demo: tuple[str, str]) -> None:
    """Documentation, its parts and the document are there over the wire, without any other host."""
    with httpx.Client(base_url=demo[0]) as client:
        page = client.get("/docs")
        parts = [client.get(path) for path in ("/docs/swagger/swagger-ui-bundle.js", "/openapi.json", "/health/ready")]

    assert [answer.status_code for answer in (page, *parts)] == [200] * 4
    assert "http://" not in page.text
    assert "https://" not in page.text


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_unwritable_folder_is_refused(console: Console, tmp_path: Path) -> None:
    """A folder that may not be written is one line too."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    settings = {"SMARTROUTING_DATAVERSE__URL": "http://127.0.0.1:9"}
    settings["SMARTROUTING_STORE__URL"] = f"sqlite:///{folder}/data/x.db"

    ended = console.run(tmp_path, "serve", **DEPLOYMENT, **settings)

    assert (ended.status, ended.err.count("\n")) == (1, 1)
    assert str(folder) in ended.err
