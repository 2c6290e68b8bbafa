"""Events that reach two processes of the service at once."""

import asyncio
import json
from contextlib import ExitStack
from pathlib import Path

import httpx

from app.emulators.dataverse import CLIENT_ID, create_dataverse_emulator
from tests.dataverse.loopback import serve
from tests.support.console import Console
from tests.support.samples import make_tables
from tests.support.service import WEBHOOK_KEY

TOKEN = "static-token-of-the-emulator"
CALLS = [f"call-{number}" for number in range(8)]


async def test_two_processes_make_one_activity_of_a_call(console: Console, tmp_path: Path) -> None:
    """Both get the end of every call at the same moment; each call becomes exactly one completed activity."""
    dataverse = create_dataverse_emulator(data=make_tables(None), static_tokens={TOKEN: CLIENT_ID})
    before = {row["activityid"] for row in dataverse.tables.rows("phonecalls")}
    with ExitStack() as stack:
        settings = {
            "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"queue": WEBHOOK_KEY}),
            "SMARTROUTING_DATAVERSE__URL": stack.enter_context(serve(dataverse)),
            "SMARTROUTING_DATAVERSE__AUTH": "token",
            "SMARTROUTING_DATAVERSE__TOKEN": TOKEN,
            "SMARTROUTING_STORE__URL": f"sqlite:///{tmp_path}/shared.db",
        }
        urls = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            url, _ = stack.enter_context(console.serve_demo(tmp_path / name, **settings))
            urls.append(url)

        async with httpx.AsyncClient(timeout=30.0, headers={"X-Benemen-APIKey": WEBHOOK_KEY}) as client:
            answers = await asyncio.gather(
                *(
                    client.post(
                        f"{url}/events/call-ended",
                        json={"phoneNumber": "+358501234567", "eventData": {"serverSideCallId": call}},
                    )
                    for call in CALLS
                    for url in urls
                )
            )

    results = [answer.json()["context"]["results"]["create-phone-call"] for answer in answers]
    written = [row for row in dataverse.tables.rows("phonecalls") if row["activityid"] not in before]
    assert sorted(row["activityid"] for row in written) == sorted({result["activityId"] for result in results})
    assert (len(written), {row["statecode"] for row in written}) == (len(CALLS), {1})
    assert sum(result["created"] for result in results) == len(CALLS)
