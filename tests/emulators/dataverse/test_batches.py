"""`$batch`: what is refused as a whole, and that each request gets its own answer."""

from typing import Any

import httpx
import pytest

from app.emulators.dataverse import DataverseEmulator

ROOT = "https://org.example/api/data/v9.2/"
NOBODY = "00000000-0000-4000-8000-000000000099"
BATCH = "multipart/mixed; boundary=b"
ON = {"Content-Type": BATCH, "Prefer": "odata.continue-on-error"}


def write(*parts: str) -> str:
    """Write a batch of requests."""
    head = "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    return "".join(f"{head}{part}\r\n" for part in parts) + "--b--\r\n"


async def test_each_request_gets_its_own_answer(emulator: DataverseEmulator, api: httpx.AsyncClient) -> None:
    """One that fails stops none after it."""
    body = write(
        f"GET {ROOT}contacts({NOBODY})?$select=fullname HTTP/1.1\r\n\r\n",
        f'PATCH {ROOT}phonecalls({NOBODY}) HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{{"subject": "A"}}',
    )

    answer = await api.post("$batch", content=body, headers=ON)

    statuses = [line.split()[1] for line in answer.text.splitlines() if line.startswith("HTTP/1.1")]
    assert (answer.status_code, statuses) == (200, ["404", "204"])
    assert [row["subject"] for row in emulator.tables.rows("phonecalls")] == ["A"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({**ON, "Content-Type": "application/json"}, write(), 415),
        (ON | {"Content-Type": "multipart/mixed"}, write(), 415),
        (ON, "nothing of the kind", 400),
        (ON, write("GET contacts"), 400),
        (ON, write("PATCH contacts HTTP/1.1\r\n\r\n{"), 400),
        (ON, "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--\r\n", 501),
    ],
)
async def test_what_is_no_batch_is_refused(
    api: httpx.AsyncClient, headers: dict[str, str], body: str, status: int
) -> None:
    """Wrong forms are told, and what is not emulated says so."""
    answer: Any = await api.post("$batch", content=body, headers=headers)

    assert answer.status_code == status
