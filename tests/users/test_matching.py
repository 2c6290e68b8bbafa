"""Matching users of Dynamics and Enreach, for whatever addresses there are."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.users.enreach_users import EnreachIndex, IdOutcome, plan_ids
from app.users.user import EnreachIdRecord, User

ADDRESSES = st.sampled_from(["a@x.example", "A@X.example", "b@x.example", "c@x.example", " b@x.example "]) | st.none()
IDS = st.sampled_from(["id-1", "id-2", "ID-1", "id-9"]) | st.none()
RECORDS = st.builds(EnreachIdRecord, enreach_id=IDS, email=ADDRESSES)
USERS = st.lists(
    st.builds(User, id=st.uuids().map(str), email=ADDRESSES, active=st.booleans(), record=RECORDS), max_size=6
)
INDEXES = st.dictionaries(
    st.sampled_from(["a@x.example", "b@x.example", "c@x.example"]),
    st.lists(st.sampled_from(["id-1", "id-2", "id-3"]), min_size=1, max_size=2, unique=True).map(tuple),
).map(lambda by: EnreachIndex(ids=frozenset(i for ids in by.values() for i in ids), by_address=by))


@given(users=USERS, index=INDEXES, overwrite=st.booleans())
def test_nobody_shares_an_id_and_nothing_is_overwritten_silently(
    users: list[User], index: EnreachIndex, *, overwrite: bool
) -> None:
    """Every user gets one outcome; ids that are written are known, unshared, and replace none unless asked to."""
    changes = plan_ids(users, index, overwrite=overwrite)

    written = [change for change in changes if change.is_write]
    ids = [change.enreach_id for change in written]
    assert [change.user for change in changes] == users
    assert len(set(ids)) == len(ids)
    assert set(ids) <= index.ids
    assert all(change.user.active for change in written)
    assert overwrite or all(change.user.record.enreach_id is None for change in written)


@given(USERS, INDEXES)
def test_a_second_update_writes_nothing(users: list[User], index: EnreachIndex) -> None:
    """Once the ids are written they are all right."""
    changes = plan_ids(users, index, overwrite=True)
    updated = [
        replace(change.user, record=replace(change.user.record, enreach_id=change.enreach_id))
        if change.is_write
        else change.user
        for change in changes
    ]

    assert IdOutcome.MATCHED not in {change.outcome for change in plan_ids(updated, index, overwrite=True)}
