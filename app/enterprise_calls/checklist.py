"""The administrator guide's checklist of Enterprise Calls for the organisation, judged by what can be asked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.enterprise_calls.rules import Reason, SyncOutcome, SyncUser
from app.enterprise_calls.store import EnterpriseCallStore
from app.enterprise_calls.sync import CallSync, ReadUsers
from app.enterprise_calls.users import SyncUsers, index_users
from app.settings import Settings
from app.users.readiness import ItemState

__all__ = ["Checklist", "ChecklistItem"]

_SHOWN = 20
"""Users named in one item; the others are in /admin/users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistItem:
    """One line of the checklist."""

    id: str
    title: str
    state: ItemState
    reason: str
    what_to_do: str = ""
    users: tuple[str, ...] = ()
    """Ids of users whom it concerns, at most twenty."""


class Checklist:
    """Judges the lines in the order of the guide. Raises DataverseError and StoreError."""

    def __init__(
        self,
        *,
        sync: CallSync,
        read_users: ReadUsers,
        store: EnterpriseCallStore,
        read_settings: Callable[[], Settings],
    ) -> None:
        self._sync = sync
        self._read_users = read_users
        self._store = store
        self._read_settings = read_settings

    async def judge(self) -> tuple[ChecklistItem, ...]:
        """Ask Dynamics for its users, and look at settings and at the calls that were read."""
        users = index_users(await self._read_users())
        counts = await self._store.count()
        with_calls = await self._store.list_users()
        return (
            *_judge_users(users, with_calls),
            self._judge_privacy(seen=bool(counts)),
            _judge_customers(counts.get(SyncOutcome.PENDING, {}).get(Reason.NO_MATCH, 0)),
            self._judge_assignee(users),
            self._judge_sync(),
        )

    def _judge_privacy(self, *, seen: bool) -> ChecklistItem:
        title = "Work Privacy default is Work"
        if self._read_settings().phone_call_sync.privacy_field is None:
            remedy = "Ask Enreach which key of a call tells work from private, and set privacy_field."
            return _item("work_privacy", title, ItemState.MISSING, "privacy_field is not set.", remedy)
        if seen:
            return _item("work_privacy", title, ItemState.OK, "Calls classified as work have been read.")
        remedy = "Set it in Voice Center > Common settings, make a call, and look again."
        return _item("work_privacy", title, ItemState.UNKNOWN, "No call classified as work has been read yet.", remedy)

    def _judge_assignee(self, users: SyncUsers) -> ChecklistItem:
        title, wanted = "DefaultCrmAssignee is set", self._read_settings().phone_call_sync.default_crm_assignee
        remedy = "Set default_crm_assignee in the settings phone-call-sync to an active user of Dynamics."
        if wanted is None:
            return _item("default_assignee", title, ItemState.MISSING, "default_crm_assignee is not set.", remedy)
        if users.find_assignee(str(wanted)) is None:
            reason = "default_crm_assignee names no active user of Dynamics."
            return _item("default_assignee", title, ItemState.MISSING, reason, remedy)
        return _item("default_assignee", title, ItemState.OK, "It names an active user of Dynamics.")

    def _judge_sync(self) -> ChecklistItem:
        title, reason = "Calls are synchronised", self._sync.explain_stop()
        if not reason:
            return _item("sync", title, ItemState.OK, "Nothing stops it.")
        return _item("sync", title, ItemState.MISSING, f"{reason}.", "Change the settings phone-call-sync.")


def _judge_users(users: SyncUsers, with_calls: frozenset[str]) -> Iterator[ChecklistItem]:
    known = [user for user in users.by_id.values() if user.enreach_id]
    title = "Enreach Mobile is in use"
    if with_calls:
        yield _item("mobile_in_use", title, ItemState.OK, f"{len(with_calls)} users have had work calls.")
    else:
        remedy = "Look at the subscriptions in Voice Center; this turns ok with the first work call."
        yield _item("mobile_in_use", title, ItemState.UNKNOWN, "No work call of a user has been read yet.", remedy)
    yield _judge_each("email", "E-mail address in Dynamics", known, "email", "Set it on the user form.")
    remedy = "Write it on the user form with plus and country code, digits only: +358123456789."
    yield _judge_each("mobile", "Mobile number in E.164", known, "mobile", remedy)
    title = "Enreach e-mail and user id"
    if known:
        yield _item("enreach_user_id", title, ItemState.OK, f"{len(known)} active users have an Enreach id.")
    else:
        remedy = "Run the id update: POST /admin/users/enreach-ids."
        yield _item("enreach_user_id", title, ItemState.MISSING, "No active user has an Enreach id.", remedy)


def _judge_each(item_id: str, title: str, known: Sequence[SyncUser], need: str, remedy: str) -> ChecklistItem:
    """Judge what each user with an Enreach id must have."""
    lacking = sorted(user.id for user in known if need in user.list_missing())
    if not lacking:
        return _item(item_id, title, ItemState.OK, f"Nobody of {len(known)} users with an Enreach id lacks it.")
    reason = f"{len(lacking)} of {len(known)} users with an Enreach id lack it."
    return ChecklistItem(
        id=item_id,
        title=title,
        state=ItemState.MISSING,
        reason=reason,
        what_to_do=remedy,
        users=tuple(lacking[:_SHOWN]),
    )


def _judge_customers(waiting: int) -> ChecklistItem:
    title = "Customers are saved with their numbers by the end of the office day"
    if not waiting:
        return _item("customers", title, ItemState.OK, "No call waits for its customer.")
    remedy = "Look at /admin/enterprise-calls/pending, and save who is a customer."
    return _item("customers", title, ItemState.UNKNOWN, f"{waiting} calls wait for somebody with their number.", remedy)


def _item(item_id: str, title: str, state: ItemState, reason: str, what_to_do: str = "") -> ChecklistItem:
    return ChecklistItem(id=item_id, title=title, state=state, reason=reason, what_to_do=what_to_do)
