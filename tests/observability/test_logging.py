"""The log, as it leaves the process; each case configures a process of its own."""

import json
import subprocess
import sys
import textwrap

from dirty_equals import IsList, IsStr

CONFIGURE = """
import logging, warnings
import structlog
from app.errors import NotFoundError
from app.observability.logging import configure_logging
configure_logging({level!r}, {form!r})
log = structlog.get_logger()
"""


def run(body: str, *, level: str = "info", form: str = "json") -> str:
    """Run a program with configured logging and return what it writes to standard output."""
    program = CONFIGURE.format(level=level, form=form) + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=120)  # noqa: S603
    assert done.stderr == b""
    return done.stdout.decode()


def read(output: str) -> list[dict[str, object]]:
    """Read JSON lines, without their times."""
    lines = [json.loads(line) for line in output.splitlines()]
    return [{key: value for key, value in line.items() if key != "timestamp"} for line in lines]


def test_events_are_json_lines_with_time_and_level() -> None:
    """One event is one JSON object; levels below the least are not written."""
    output = run("""
        log.debug("never.seen")
        log.info("call.decided", outcome="redirect", ms=1.5)
    """)

    assert json.loads(output) == {
        "event": "call.decided",
        "level": "info",
        "timestamp": IsStr(regex=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"),
        "outcome": "redirect",
        "ms": 1.5,
    }


def test_numbers_and_secrets_never_get_out() -> None:
    """Whatever was logged by mistake is masked, in keys and values of any depth."""
    output = run("""
        log.info("oops +358501234567", caller=["+358501234567"], token="fake", rows={"358501234567": object})
        logging.getLogger("library").warning("GET %s", "/contacts?$filter=contains(phone,'%2B358501234567')")
        warnings.warn("about +358501234567")
    """)

    assert "358501234567" not in output
    assert "fake" not in output
    assert output.count("[masked]") == 6


def test_exceptions_are_types_and_places_without_values() -> None:
    """Foreign messages and local variables are left out, our own messages and the chain of causes are kept."""
    output = run("""
        def look_up(number):
            try:
                raise ValueError(f"no {number}")
            except ValueError as error:
                raise NotFoundError("There is no such caller.") from error
        try:
            look_up("Ann Example +358501234567")
        except NotFoundError:
            log.exception("admin.failed")
    """)

    assert "Ann" not in output
    assert read(output) == [
        {
            "event": "admin.failed",
            "level": "error",
            "exception": [
                {
                    "type": "app.errors.NotFoundError",
                    "code": "not-found",
                    "message": "There is no such caller.",
                    "frames": IsList(IsStr(regex=r"<string>:\d+ <module>"), IsStr(regex=r"<string>:\d+ look_up")),
                },
                {"type": "builtins.ValueError", "frames": IsList(IsStr(regex=r"<string>:\d+ look_up"))},
            ],
        }
    ]


def test_groups_of_exceptions_are_told_one_by_one() -> None:
    """What failed together is listed, in bounded number."""
    output = run("""
        try:
            raise ExceptionGroup("x", [KeyError("Ann"), OSError("Bob")])
        except ExceptionGroup as group:
            log.error("both.failed", exc_info=group)
    """)

    assert [cause["type"] for cause in read(output)[0]["exception"]] == [  # type: ignore[attr-defined]
        "builtins.ExceptionGroup",
        "builtins.KeyError",
        "builtins.OSError",
    ]


def test_the_standard_library_and_uvicorn_take_the_same_way() -> None:
    """Records of other libraries become events; talkative ones only from warnings on; the access log is off."""
    output = run("""
        logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
        logging.getLogger("uvicorn.access").info("GET /callers/1")
        logging.getLogger("httpx").info("HTTP Request: GET https://example.com")
        logging.getLogger("httpx").warning("slow")
        logging.getLogger("other").info("%d", "not a number")
    """)

    assert read(output) == [
        {"event": "Started server process [7]", "level": "info", "logger": "uvicorn.error"},
        {"event": "slow", "level": "warning", "logger": "httpx"},
        {"event": "%d", "level": "info", "logger": "other"},
    ]


def test_values_json_does_not_know_are_still_written() -> None:
    """An odd value or key costs its spelling, not the line."""
    output = run("log.info('odd', value={1: {2}}, text='\\ud800', big=2**70)")

    assert read(output)[0]["event"] == "odd"


def test_the_console_form_is_for_people_and_as_careful() -> None:
    """The console shows event, values and places, masked."""
    output = run(
        """
        try:
            raise RuntimeError("+358501234567")
        except RuntimeError:
            log.exception("it.failed", caller="+358501234567")
        """,
        form="console",
    )

    assert "it.failed" in output
    assert "builtins.RuntimeError" in output
    assert "<string>" in output
    assert "358501234567" not in output
