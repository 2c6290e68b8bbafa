"""Which user of Dynamics a call belongs to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.enterprise_calls.rules import SyncUser
from app.users.user import User

__all__ = ["SyncUsers", "index_users"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncUsers:
    """The active users of Dynamics at one moment."""

    by_address: Mapping[str, SyncUser]
    """Enreach address in lower case -> user; addresses of several users are left out."""
    by_id: Mapping[str, SyncUser]

    def find(self, address: str | None) -> SyncUser | None:
        """Find the user with an address in Enreach."""
        return self.by_address.get((address or "").strip().casefold())

    def find_assignee(self, wanted: str) -> SyncUser | None:
        """Find the default assignee: by the id in Dynamics, or by the Enreach id, as the vendor's setting has it."""
        known = (user for user in self.by_id.values() if (user.enreach_id or "").casefold() == wanted.casefold())
        return self.by_id.get(wanted.lower()) or next(known, None)

    @property
    def colleagues(self) -> frozenset[str]:
        """Users who have calls of their own."""
        return frozenset(user.id for user in self.by_id.values() if user.enreach_id)


def index_users(users: Iterable[User]) -> SyncUsers:
    """Index users by the address they have in Enreach, which is the one in Dynamics unless another is set."""
    by_id: dict[str, SyncUser] = {}
    by_address: dict[str, SyncUser] = {}
    shared: set[str] = set()
    for user in users:
        if not user.active:
            continue
        known = SyncUser(
            id=user.id,
            enreach_id=user.record.enreach_id,
            email=user.record.email or user.email,
            mobile=user.mobile,
        )
        by_id[user.id.lower()] = known
        address = (known.email or "").strip().casefold()
        if address and not user.is_application:
            shared |= {address} & by_address.keys()
            by_address[address] = known
    return SyncUsers(by_address={name: by_address[name] for name in by_address.keys() - shared}, by_id=by_id)
