"""Spans of calls, as a collector gets them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import pytest
from dirty_equals import IsInt, IsPositiveFloat, IsStr
from structlog.testing import capture_logs

from app.emulators.faults import Fault, FaultKind
from tests.support.collector import Collector, open_collector
from tests.support.process import clean_environment
from tests.support.service import ADMIN_KEY, VIP_RULES, WEBHOOK_KEY, open_service

ROOT = Path(__file__).parents[2]
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
NAME = "Zyxomma Quizzically"
NUMBER = "+358509871234"
CALL_ID = "call-66299cde606b3db6d413cd208f7e5cab"
CALLED = 1_770_000_000.25
"""When calls arrive, in seconds since the epoch."""
KINDS = {"server": 2, "internal": 1}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without any variable of OpenTelemetry."""
    for name in [name for name in os.environ if "OTEL_" in name]:
        monkeypatch.delenv(name)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Run a collector that the environment names."""
    with open_collector() as opened:
        monkeypatch.setenv(ENDPOINT, opened.url)
        yield opened


def sent_by(parent: str | None = f"00-{TRACE}-{PARENT}-01") -> dict[str, str]:
    """Make the headers of a call inside somebody's trace."""
    return {"X-Benemen-APIKey": WEBHOOK_KEY} | ({} if parent is None else {"traceparent": parent})


async def test_call_is_a_span_of_the_trace_it_came_with(collector: Collector, tmp_path: Path) -> None:
    """The collector gets the call as a child of the sender's span, with the ids the answer names and its stages."""
    async with open_service(tmp_path, rules=VIP_RULES, clock=lambda: CALLED) as service:
        answer = await service.post({"anum": "+358501234567"}, sent_by())
        [decision] = await service.list_decisions(1)

    *stages, call = collector.read_spans()
    _, trace_id, span_id, flags = answer.headers["traceparent"].split("-")
    assert (trace_id, flags) == (TRACE, "01")
    assert call == {
        "name": "POST /smartrouting",
        "kind": KINDS["server"],
        "trace": TRACE,
        "id": span_id,
        "parent": PARENT,
        "state": "",
        "start": IsInt(gt=(CALLED - 1) * 1e9, le=CALLED * 1e9),
        "end": IsInt(gt=call["start"], lt=(CALLED + 10) * 1e9),
        "attributes": {
            "http.request.method": "POST",
            "http.route": "/smartrouting",
            "http.response.status_code": 200,
            "smartrouting.decision_id": decision["id"],
            "smartrouting.outcome": "redirect",
            "smartrouting.rule": "vip",
            "smartrouting.revision": 1,
            "smartrouting.caller_status": "identified",
            "smartrouting.source": "live",
        },
    }
    assert [stage["name"] for stage in stages] == ["receive", "look_up", "rules", "record"]
    assert {(stage["kind"], stage["trace"], stage["parent"]) for stage in stages} == {
        (KINDS["internal"], TRACE, span_id)
    }
    assert [stage["start"] for stage in stages] == [call["start"], *(stage["end"] for stage in stages[:-1])]
    assert stages[-1]["end"] == call["end"]
    assert len({span["id"] for span in (*stages, call)}) == 5
    assert stages[1]["attributes"] == {
        f"smartrouting.look_up.{part}_ms": IsPositiveFloat for part in ("turn", "token", "dataverse")
    }


async def test_tracestate_is_kept(collector: Collector, tmp_path: Path) -> None:
    """What other systems of tracing noted is in the answer and in every span; a number in it is not."""
    async with open_service(tmp_path) as service:
        kept = await service.post({"anum": "anonymous"}, {**sent_by(), "tracestate": "vendor=00f067aa0ba902b7,other=1"})
        hidden = await service.post({"anum": "anonymous"}, {**sent_by(), "tracestate": "vendor=+358501234567"})

    assert kept.headers["tracestate"] == "vendor=00f067aa0ba902b7,other=1"
    assert "tracestate" not in hidden.headers
    assert {span["state"] for span in collector.read_spans()} == {"vendor=00f067aa0ba902b7,other=1", ""}


async def test_call_without_a_trace_starts_one(collector: Collector, tmp_path: Path) -> None:
    """A call that came without `traceparent` is a root, by the ids the answer names; it tells why nobody was found."""
    async with open_service(tmp_path) as service:
        service.dataverse.faults.replace([Fault(kind=FaultKind.STATUS, status=503)])
        answer = await service.call()

    *_, call = collector.read_spans()
    assert (call["trace"], call["id"], call["parent"]) == (*answer.headers["traceparent"].split("-")[1:3], "")
    assert answer.headers["traceparent"].endswith("-01")
    assert call["attributes"] == {
        "http.request.method": "POST",
        "http.route": "/smartrouting",
        "http.response.status_code": 204,
        "smartrouting.decision_id": IsStr,
        "smartrouting.outcome": "no_change",
        "smartrouting.caller_status": "unavailable",
        "smartrouting.caller_cause": "error",
        "smartrouting.source": "none",
    }


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param(None, {"service.name": "smartrouting"}, id="by-itself"),
        pytest.param("routing-fi", {"service.name": "routing-fi", "deployment": "test"}, id="as-told"),
    ],
)
async def test_service_has_the_name_it_was_given(
    name: str | None, said: dict[str, str], collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the service says about itself is its name and version, and what the standard variables say."""
    if name is not None:
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment=test")
        monkeypatch.setenv("OTEL_SERVICE_NAME", name)

    async with open_service(tmp_path) as service:
        await service.call()

    assert collector.read_service() == {
        **said,
        "service.version": metadata.version("smartrouting"),
        "service.instance.id": IsStr,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": metadata.version("opentelemetry-sdk"),
    }


@pytest.mark.parametrize(
    ("variables", "flags"),
    [
        pytest.param({}, "00", id="sender-does-not-sample"),
        pytest.param({"OTEL_TRACES_SAMPLER": "always_off"}, "01", id="never"),
        pytest.param({"OTEL_TRACES_EXPORTER": "none"}, "01", id="no-exporter"),
        pytest.param({"OTEL_SDK_DISABLED": "true"}, "01", id="disabled"),
    ],
)
async def test_unsampled_call_is_not_exported(
    variables: dict[str, str], flags: str, collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The sender's flag and the standard variables decide; the call is answered as ever."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    async with open_service(tmp_path) as service:
        answer = await service.post({"anum": "+358501234567"}, sent_by(f"00-{TRACE}-{PARENT}-{flags}"))

    assert answer.status_code == 204
    assert collector.exports == []


async def test_share_of_the_calls_is_sampled(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A sampler that takes half of all traces takes some of those that start here and leaves others."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")

    async with open_service(tmp_path) as service:
        for _ in range(60):
            await service.call("anonymous")

    assert 0 < sum(span["name"] == "POST /smartrouting" for span in collector.read_spans()) < 60


async def test_nothing_personal_is_exported(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Numbers, names, call ids and keys stay here, even when the framework is told to export what it sees."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    contact = {"contactid": "a0000000-0000-0000-0000-000000000001", "fullname": NAME, "mobilephone": NUMBER}
    extra = {"CallId": CALL_ID, "DYN_PAR_Name": NAME, "CurrQueueId": NUMBER}
    headers = sent_by() | {"X-Request-ID": CALL_ID}

    async with open_service(tmp_path, tables={"contacts": [contact]}) as service:
        answer = await service.post({"anum": NUMBER, "targetid": NUMBER, "extradata": extra}, headers)
        found = await service.ask("/admin/decisions", caller=NUMBER)
        missed = await service.ask(f"/admin/decisions/{NUMBER}")
        refused = await service.post({"anum": NUMBER}, {"X-Benemen-APIKey": NUMBER})

    assert [each.status_code for each in (answer, found, missed, refused)] == [204, 200, 404, 401]
    assert [path for path, _ in collector.exports] == ["/v1/traces"]
    assert [span["name"] for span in collector.read_spans()].count("POST /smartrouting") == 1
    exported = b"".join(body for _, body in collector.exports)
    marks = (b"9871234", *NAME.encode().split(), CALL_ID.encode(), WEBHOOK_KEY.encode(), ADMIN_KEY.encode())
    assert [mark for mark in marks if mark in exported] == []


@contextmanager
def absent_collector(*, listens: bool) -> Iterator[str]:
    """Give the URL of a collector that is not there, or that takes connections and answers nothing."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        if listens:
            place.listen()
        yield f"http://127.0.0.1:{place.getsockname()[1]}"


@pytest.mark.parametrize("listens", [pytest.param(False, id="refuses"), pytest.param(True, id="hangs")])
async def test_collector_that_is_away_is_nobodys_trouble(
    listens: bool,  # noqa: FBT001 - a parameter
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Calls are answered, more than can wait are dropped, and the service stops although nobody takes the rest."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
    with absent_collector(listens=listens) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{url}/v1/traces")
        async with open_service(tmp_path, rules=VIP_RULES) as service:
            answers = [(await service.call()).status_code for _ in range(20)]

    assert answers == [200] * 20


async def test_endpoint_without_the_extra_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the libraries are missing, the start says so in one line, and calls are answered."""
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.delitem(sys.modules, "app.observability.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with capture_logs() as lines:
        async with open_service(tmp_path) as service:
            answer = await service.call()

    assert answer.status_code == 204
    assert [line for line in lines if line["event"].startswith("spans.")] == [
        {
            "event": "spans.not_exported",
            "log_level": "warning",
            "reason": "an OTLP endpoint is set, but the extra otel is not installed",
        }
    ]


def test_without_an_endpoint_nothing_is_loaded(tmp_path: Path) -> None:
    """Calls are answered without SDK, exporter and what they need, until the environment names a collector."""
    program = """
import asyncio, json, os, pathlib, sys
from tests.support.service import open_service

async def list_loaded():
    async with open_service(pathlib.Path.cwd()) as service:
        assert (await service.call()).status_code == 204
    ours = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf", "requests")
    return [name for name in sys.modules if name.startswith((*ours, "app.observability.spans"))]

without = asyncio.run(list_loaded())
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
os.environ["OTEL_TRACES_SAMPLER"] = "always_off"
print(json.dumps([without, asyncio.run(list_loaded())]))
"""
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**clean_environment({}), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )

    without, loaded = json.loads(ended.stdout.splitlines()[-1])
    assert without == []
    assert {"opentelemetry.sdk.trace", "app.observability.spans"} <= {*loaded}
