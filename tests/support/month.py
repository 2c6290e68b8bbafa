"""A simulated month of calls, and which activities it must bring: an independent model of the guide's rules.

Nothing here comes from the product: times, numbers and rules are written down once more, as simply as can be. What
happens between two looks of the synchronisation would make the outcome depend on the moment of a look, so customers are
saved, classifications change and users join when nobody has called for hours.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["LIMIT_SECONDS", "MARGIN_SECONDS", "Happening", "Month"]

LIMIT_SECONDS = 5
MARGIN_SECONDS = 60
_ASSIGNEE = 999_999
_WORK, _PRIVATE, _UNCLASSIFIED = "Work", "Private", "Unclassified"
_CHANGES_FROM = 20 * 60 + 20
"""The minute of the day in UTC from which classifications change: every call has been looked at by then."""
_NOTATIONS: tuple[Callable[[str], str], ...] = (
    lambda n: f"+358{n}",
    lambda n: f"0{n}",
    lambda n: f"358{n}",
    lambda n: f"00358{n}",
    lambda n: f"0{n[:2]} {n[2:5]} {n[5:]}",
    lambda n: f"0{n[:2]} {n[2:]}",
    lambda n: f"0{n[:2]}-{n[2:]}",
    lambda n: f"+358 {n[:2]} {n[2:]}",
    lambda n: f"+358 (0){n[:2]} {n[2:]}",
    lambda n: f"tel:+358{n}",
)
"""Ten ways to write a Finnish mobile number, given without its zero."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that changes a system at a moment."""

    at: datetime
    kind: str
    """`call`, `contact`, `user` or `web_phone`."""
    row: dict[str, Any]


@dataclass(slots=True)
class _Call:
    id: str
    user: int
    customer: int | None
    outgoing: bool
    start: datetime
    seconds: int
    classes: list[tuple[datetime, str]]
    twice: bool
    web_phone_after: int | None
    """Seconds between this call and the activity that the web phone made, if it made any."""

    def classify(self, at: datetime) -> str:
        return [name for since, name in self.classes if since <= at][-1]


@dataclass(slots=True)
class Month:
    """Users, customers and calls of some days, drawn by a seed; days begin at midnight UTC."""

    first: date
    days: int
    users: int
    calls: int
    contacts: int
    zone: str = "Europe/Helsinki"
    seed: int = 1
    saved: dict[int, datetime] = field(default_factory=dict)
    """Customer -> when they were saved; those who were there before are absent."""
    joined: dict[int, datetime] = field(default_factory=dict)
    """User -> when they got a mobile number; those who have one from the beginning are absent."""
    left: dict[int, datetime] = field(default_factory=dict)
    drawn: list[_Call] = field(default_factory=list)
    _pairs: dict[tuple[int, int | None], list[_Call]] = field(default_factory=dict)
    _busy: set[tuple[int, int]] = field(default_factory=set)
    """Customer and ten minutes in which they have called already."""

    def __post_init__(self) -> None:
        source = random.Random(self.seed)  # noqa: S311 - no secret
        for customer in source.sample(range(self.contacts), self.contacts // 5):
            day, minute = source.randrange(self.days), source.choice((source.randrange(12 * 60, 13 * 60), 1240))
            self.saved[customer] = self._moment(day, minute)
        people = source.sample(range(self.users), max(3, self.users // 10))
        for index, user in enumerate(people):
            (self.joined if index % 2 else self.left)[user] = self._moment(source.randrange(self.days), 20)
        for index in range(self.calls):
            call = self._draw(source, index)
            self.drawn.append(call)
            self._pairs.setdefault((call.user, call.customer), []).append(call)

    def list_tables(self) -> dict[str, list[dict[str, Any]]]:
        """List the rows of Dynamics before the first day."""
        users = [
            {
                "systemuserid": self.user_id(user),
                "fullname": f"User {user}",
                "internalemailaddress": self.address(user),
                "mobilephone": None if user in self.joined else f"+35850{user:07}",
                "new_enreachuserid": f"e0000000-0000-4000-8000-{user:012}",
                "new_enreachemail": None,
            }
            for user in range(self.users)
        ]
        assignee = {"systemuserid": self.user_id(_ASSIGNEE), "fullname": "Assignee", "new_enreachuserid": None}
        there = [self._describe_contact(each) for each in range(self.contacts) if each not in self.saved]
        return {"systemusers": [*users, assignee], "contacts": there, "accounts": [], "phonecalls": []}

    def list_happenings(self) -> list[Happening]:
        """List everything that happens, in order."""
        happenings = [Happening(at, "contact", self._describe_contact(each)) for each, at in self.saved.items()]
        for user, at in self.joined.items():
            row = {"systemuserid": self.user_id(user), "mobilephone": f"+35850{user:07}"}
            happenings.append(Happening(at, "user", row))
        for user, at in self.left.items():
            happenings.append(Happening(at, "user", {"systemuserid": self.user_id(user), "isdisabled": True}))
        for call in self.drawn:
            happenings += self._tell(call)
        return sorted(happenings, key=lambda each: each.at)

    def expect(self) -> list[tuple[str, str, str]]:
        """List the activities that must exist, and no other: customer, start, and the user who owns it."""
        wanted = []
        for call in self.drawn:
            looked = self._look(call)
            if looked is not None and call.customer is not None:
                gone = call.user in self.left and self.left[call.user] <= looked
                owner = self.user_id(_ASSIGNEE if gone else call.user)
                wanted.append((self.contact_id(call.customer), f"{call.start:%Y-%m-%dT%H:%M:%SZ}", owner))
        return sorted(wanted)

    @property
    def assignee_id(self) -> str:
        """The user who owns activities of users who have left."""
        return self.user_id(_ASSIGNEE)

    @property
    def start(self) -> datetime:
        """The beginning of the first day."""
        return self._moment(0, 0)

    @property
    def end(self) -> datetime:
        """The end of the last day, and of the nights after it in which calls still wait."""
        return self._moment(self.days + 5, 0)

    def user_id(self, user: int) -> str:
        """Return the id of a user in Dynamics."""
        return f"50000000-0000-4000-8000-{user:012}"

    def contact_id(self, customer: int) -> str:
        """Return the id of a contact in Dynamics."""
        return f"c0000000-0000-4000-8000-{customer:012}"

    def address(self, user: int) -> str:
        """Return the address of a user in both systems."""
        return f"user{user}@month.example"

    def _look(self, call: _Call) -> datetime | None:
        """Follow a call through every moment at which it is looked at; tell when it is written, if it is."""
        for since, name in call.classes:
            if name != _WORK:
                continue
            if call.seconds < LIMIT_SECONDS:
                return None
            if call.user in self.joined and since < self.joined[call.user]:
                continue
            written = self._wait(call, since)
            if written is not None:
                return written
        return None

    def _wait(self, call: _Call, since: datetime) -> datetime | None:
        """Look once, and then every night until the last one."""
        if call.customer is None:
            return None
        saved = self.saved.get(call.customer, datetime.min.replace(tzinfo=UTC))
        last = self._last_night(call)
        night = datetime.combine(since.date(), time(22), UTC)
        looks = [since, night]
        while looks[-1] < last:
            looks.append(looks[-1] + timedelta(days=1))
        for look in looks:
            if call.classify(look) != _WORK:
                return None
            if saved <= look:
                return None if self._has_twin(call) else look
        return None

    def _last_night(self, call: _Call) -> datetime:
        """Return ten in the evening UTC after the office day: Monday to Friday, eight to four."""
        local = call.start.astimezone(ZoneInfo(self.zone))
        day = local.date()
        if local.hour >= 16:
            day += timedelta(days=1)
        while day.weekday() >= 5:
            day += timedelta(days=1)
        closing = datetime.combine(day, time(16), ZoneInfo(self.zone)).astimezone(UTC)
        night = datetime.combine(closing.date(), time(22), UTC)
        return night if night >= closing else night + timedelta(days=1)

    def _has_twin(self, call: _Call) -> bool:
        return any(
            other.web_phone_after is not None
            and other.outgoing == call.outgoing
            and abs((other.start - call.start).total_seconds() + other.web_phone_after) <= MARGIN_SECONDS
            for other in self._pairs[call.user, call.customer]
        )

    def _draw(self, source: random.Random, index: int) -> _Call:
        user = source.randrange(self.users)
        customer = None if source.random() < 0.15 else source.randrange(self.contacts)
        day = source.randrange(self.days)
        minute = source.randrange(6 * 60, 9 * 60) if customer in self.saved else source.randrange(6 * 60, 17 * 60)
        start = self._moment(day, minute) + timedelta(seconds=source.randrange(60))
        name = source.choices((_WORK, _PRIVATE, _UNCLASSIFIED), (75, 15, 10))[0]
        slots = {(customer or 0, int(start.timestamp()) // 600 + near) for near in (-1, 0, 1)}
        if customer is not None and slots & self._busy:
            customer = None  # no two users talk to one customer at nearly the same time
        elif customer is not None:
            self._busy |= slots
        classes = [(start, name)]
        for change in range(2):
            if source.random() < 0.05:
                name = _PRIVATE if name == _WORK else _WORK
                at = self._moment(day + change + source.randrange(2), _CHANGES_FROM + source.randrange(20))
                if at > classes[-1][0] + timedelta(hours=12 if change else 0):
                    classes.append((at, name))
        return _Call(
            id=f"ca11{index:04x}-0000-4000-8000-{index:012}",
            user=user,
            customer=customer,
            outgoing=source.random() < 0.4,
            start=start,
            seconds=source.choice((0, 4, 5, 60, 300, 900)),
            classes=classes,
            twice=source.random() < 0.1,
            web_phone_after=source.choice((-40, 10, 59, 90, 300)) if source.random() < 0.15 else None,
        )

    def _tell(self, call: _Call) -> Iterator[Happening]:
        """Tell what systems hear of a call; what changes later comes twice as well when it stands there twice."""
        number = f"49{int(call.id[-12:]):07}" if call.customer is None else self._number(call.customer)
        for index, (at, name) in enumerate(call.classes):
            row = {
                "CallId": call.id,
                "StartTime": f"{call.start:%Y-%m-%dT%H:%M:%S}",
                "ANum": f"+35850{call.user:07}" if call.outgoing else _NOTATIONS[call.seconds % 3](number),
                "BNum": _NOTATIONS[call.seconds % 3](number) if call.outgoing else f"+35850{call.user:07}",
                "UserName": self.address(call.user),
                "Direction": int(call.outgoing),
                "Duration": call.seconds,
                "EndResult": int(call.seconds == 0),
                "EmulatedPrivacy": name,
            }
            seen = at + timedelta(seconds=call.seconds + 10) if index == 0 else at
            for kind in ("DirectCall", "ServiceCall")[: 1 + call.twice]:
                yield Happening(seen, "call", {**row, "CallTypeString": kind})
        if call.web_phone_after is not None and call.customer is not None:
            began = call.start + timedelta(seconds=call.web_phone_after)
            yield Happening(
                call.start,
                "web_phone",
                {
                    "activityid": f"99990000-{call.id[4:8]}-4000-8000-{call.id[-12:]}",
                    "subject": "Web phone",
                    "phonenumber": f"+358{number}",
                    "directioncode": call.outgoing,
                    "actualstart": f"{began:%Y-%m-%dT%H:%M:%SZ}",
                    "statecode": 1,
                    "statuscode": 2,
                    "_regardingobjectid_value": self.contact_id(call.customer),
                    "_ownerid_value": self.user_id(call.user),
                },
            )

    def _describe_contact(self, customer: int) -> dict[str, Any]:
        number = _NOTATIONS[customer % len(_NOTATIONS)](self._number(customer))
        row = {"fullname": f"Customer {customer}", "mobilephone": number, "statecode": 0}
        return {"contactid": self.contact_id(customer), **row}

    def _number(self, customer: int) -> str:
        return f"40{customer + 1_000_000:07}"

    def _moment(self, day: int, minute: int) -> datetime:
        return datetime.combine(self.first, time(), UTC) + timedelta(days=day, minutes=minute)
