"""Every documented example, pressed in the order of the document on a fresh demo."""

from pathlib import Path

from app.bootstrap.upstreams import Upstreams
from tests.support.presser import Presser
from tests.support.service import open_service

NOT_ON_A_FRESH_DEMO = {
    "acknowledgeAlert": "nothing is wrong",
    "sendTestMessage": "no receiver of alerts is set",
    "showJob": "the newest job is one of the key's own",
    "stopJob": "no job runs as long as that",
    "cancelReplay": "the replay has ended",
    "explainDiff": "the replay changed no call",
    "showWebhookKey": "it has keys of its own",
    "rollBack": "there is one revision",
    "restoreVersion": "nothing was saved before",
    "changeGroup": "this test sets it in the environment",
    "previewRota": "the sample has no rota",
    "removeRota": "the sample has no rota",
    "takeOutOfShadow": "another draft lies there",
    "addRecordedTest": "the ETag is that of the draft in its query",
    "undoCorrections": "the example only tries",
    "deleteRow": "the rows of the sample are built in",
    "showOwnReadiness": "a key is nobody's user",
    "runNow": "Enreach has not said which calls are work",
    "runOvernight": "Enreach has not said which calls are work",
    "showCall": "no work call was seen",
    "retryCall": "no work call was seen",
    "noteSecretSent": "nobody made a new secret",
    "noteBackEndUpdated": "nobody made a new secret",
    "proveNewSecret": "nobody made a new secret",
    "abandonRenewal": "the renewal goes with its registration",
}
"""What may fail there, and why; everything else must succeed."""


async def test_all_examples_succeed_in_order(tmp_path: Path) -> None:
    """A new integrator who presses one operation after the other sees each of them succeed.

    What an operation takes and the document cannot know beforehand (ids of what was just made, ETags) it says by a
    link of the operation that answers it; see app/web/openapi_examples.py for what to add.
    """
    async with open_service(
        tmp_path, upstreams=Upstreams(), demo=True, dataverse={"url": None, "token": None}
    ) as service:
        failed = await Presser(service).press_all()

    assert [name for name in failed if name not in NOT_ON_A_FRESH_DEMO] == [], (
        "give the parameter an example, or a link in app/web/openapi_examples.py; then see the answer of the operation"
    )
