"""Reading what the queue posts."""

from functools import partial

import pytest

from app.routing.calls import Call, read_call
from app.routing.decisions import Decision, Outcome
from app.routing.numbers import read_number

READ = partial(read_number, region="FI")


def test_whole_payload() -> None:
    """Both numbers, the target and the extra data are read; parameters keep their values."""
    extra = {
        "CallId": "d59d7a2f",
        "LegId": "66299cde@45.66.192.196",
        "CurrQueueId": "1a89fc22",
        "CurrUserId": "",
        "IsInternalCaller": "true",
        "DYN_PAR_Culture": "en-GB",
        "DYN_PAR_List": [1, {"a": "é"}],
        "Other": 1,
    }
    payload = {"anum": "+358501234567", "bnum": "+358912345678", "targetid": " SALES ", "extradata": extra, "more": 1}

    call = read_call(payload, READ)

    assert call == Call(
        caller=READ("+358501234567"),
        called=READ("+358912345678"),
        target_id="SALES",
        call_id="d59d7a2f",
        queue_id="1a89fc22",
        internal=True,
        parameters={"DYN_PAR_Culture": "en-GB", "DYN_PAR_List": '[1,{"a":"é"}]'},
    )
    assert call.culture == "en-GB"


@pytest.mark.parametrize("extra", [None, 3, [], {"CallId": True, "IsInternalCaller": 1, "CurrQueueId": {}}])
def test_odd_extra_data(extra: object) -> None:
    """What is missing, or of an odd type, is left out."""
    payload = {"anum": "+358501234567", "extradata": extra, "targetid": 5}

    assert read_call(payload, READ) == Call(caller=READ("+358501234567"), called=READ(None), target_id="5")


def test_redirect_has_a_target() -> None:
    """A redirect without a target, or a target without a redirect, cannot be made."""
    with pytest.raises(ValueError, match="a redirect has a target"):
        Decision(outcome=Outcome.REDIRECT)
