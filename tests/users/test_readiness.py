"""The checklist of the administrator guide."""

from dataclasses import replace

import pytest

from app.enreach.errors import EnreachTimeoutError
from app.settings import Role
from app.store.settings_documents import EVERYBODY, Confirmation
from app.users.enreach_users import EnreachIndex, EnreachSilence
from app.users.readiness import ASSIGNEE, WEB_PHONE, ItemGroup, ItemState, ReadinessSources, judge
from app.users.user import EnreachIdRecord, HeldRole, Team, User, VoiceUser

INDEX = EnreachIndex(ids=frozenset({"e-1"}), by_address={"ann@x.example": ("e-1",)})
SOURCES = ReadinessSources(
    enreach=INDEX,
    web_phone={EVERYBODY: Confirmation(subject=EVERYBODY, item=WEB_PHONE, who="anna", at=0.0)},
    assignee=Confirmation(subject=EVERYBODY, item=ASSIGNEE, who="anna", at=0.0),
)
ANN = User(id="u-1", email="ann@x.example", mobile="+358501230001", record=EnreachIdRecord(enreach_id="E-1"))
READY = VoiceUser(user=ANN, roles=(HeldRole(name=Role.VOICE_USER.value, role_id="r-1"),))


def find(voice: VoiceUser, item: str, sources: ReadinessSources = SOURCES) -> ItemState:
    """Return the state of one item."""
    return next(each.state for each in judge(voice, sources).items if each.id == item)


def test_a_user_with_everything_is_ready() -> None:
    """Nothing is left to do, and every item names its chapter."""
    readiness = judge(READY, SOURCES)

    assert readiness.is_ready(ItemGroup.ENTERPRISE_CALLS)
    assert all(item.chapter and not item.what_to_do for item in readiness.items)


@pytest.mark.parametrize(
    ("mobile", "state"),
    [
        ("+358501230001", ItemState.OK),
        ("+358 50 1230001", ItemState.MISSING),
        ("0501230001", ItemState.MISSING),
        ("00358501230001", ItemState.MISSING),
        ("+0501230001", ItemState.MISSING),
        ("+3585012300011234567", ItemState.MISSING),
        ("+٣٥٨٥٠١٢٣٠٠٠١", ItemState.MISSING),
        ("+358501230001\n", ItemState.MISSING),
        (None, ItemState.MISSING),
    ],
)
def test_the_mobile_number_must_be_e164_exactly(mobile: str | None, state: ItemState) -> None:
    """Only plus and digits count, since the synchronisation compares letter by letter."""
    voice = replace(READY, user=replace(ANN, mobile=mobile))

    assert find(voice, "mobile") is state
    assert judge(voice, SOURCES).is_ready(ItemGroup.VOICE)


def test_a_confirmation_is_told_with_its_note() -> None:
    """The checklist says who confirmed what no interface tells, for whom, and in which words."""
    noted = Confirmation(subject=ANN.id, item=WEB_PHONE, who="eero", at=0.0, note="seen in Voice Center")
    one, everybody = (
        {item.id: item.reason for item in judge(READY, sources).items}
        for sources in (replace(SOURCES, web_phone={ANN.id: noted}), SOURCES)
    )

    assert one[WEB_PHONE] == 'Confirmed by eero: "seen in Voice Center".'
    assert everybody[WEB_PHONE] == "Confirmed for everybody by anna."
    assert everybody[ASSIGNEE] == "Confirmed by anna."


def test_the_role_counts_through_a_team() -> None:
    """Effective roles are direct ones and those of teams; other roles of Voice do not count."""
    team = Team(id="t-1", name="Agents", kind=0)
    through = replace(READY, roles=(HeldRole(name=Role.VOICE_USER.value, role_id="r-1", team=team),))
    other = replace(READY, roles=(HeldRole(name=Role.VOICE_ADMIN_USER.value, role_id="r-2"),))

    assert (find(through, "voice_user_role"), find(other, "voice_user_role")) == (ItemState.OK, ItemState.MISSING)


def test_what_enreach_does_not_tell_is_unknown() -> None:
    """Silence is neither good nor bad, and says why."""
    silence = EnreachSilence(error=EnreachTimeoutError("GET /users: no complete answer in time"))
    dark = replace(SOURCES, enreach=silence, web_phone={})

    assert find(READY, "enreach_active", dark) is ItemState.UNKNOWN
    assert find(READY, "web_phone_role", dark) is ItemState.UNKNOWN
    assert find(READY, "enreach_user_id", dark) is ItemState.OK
    assert not judge(READY, dark).is_ready(ItemGroup.VOICE)


def test_an_id_enreach_does_not_know_is_missing() -> None:
    """A stale id is as bad as none."""
    voice = replace(READY, user=replace(ANN, record=EnreachIdRecord(enreach_id="e-9")))

    assert (find(voice, "enreach_user_id"), find(voice, "enreach_active")) == (ItemState.MISSING, ItemState.OK)


def test_an_application_needs_its_own_role_only() -> None:
    """Nothing else of the checklist is about it."""
    application = VoiceUser(user=replace(ANN, is_application=True))

    assert [(item.id, item.state) for item in judge(application, SOURCES).items] == [
        ("voice_api_user_role", ItemState.MISSING)
    ]
