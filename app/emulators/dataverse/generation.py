"""Adds as many customers to an organisation as a load test needs: the same ones for the same numbers and seed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

from app.emulators.dataverse.phone_spellings import REGIONS, SPELLINGS, Region
from app.emulators.dataverse.tables import Row, Tables, lookup_type_of
from app.emulators.dataverse.values import render_instant

T = TypeVar("T")
MAX_CONTACTS = 1_000_000
MAX_ACCOUNTS = 100_000
_FIRST_NAMES = (
    "Aino Anna Antti Birgit Camille Daniel Elina Emma Erik Eva Freja Grace Hanna Henrik Ingrid Jack Jan "
    "Johanna Jonas Julia Kari Karin Lars Laura Lena Louis Lucas Maria Marta Mikko Nina Noah Oliver Olga Paul "
    "Peter Pia Sofia Tomasz Zofia"
)
_LAST_NAMES = (
    "Aalto Andersson Bakker Becker Berg Bernard Brown Dahl Dubois Evans Fischer Garcia Hansen Heikkinen Holm "
    "Jansen Jensen Johansen Kowalski Korhonen Larsen Laine Lewandowski Lindqvist Martin Meyer Miller Moreau "
    "Nielsen Nowak Olsen Petit Rasmussen Schmidt Smith Svensson Taylor Virtanen Visser Vries Wagner White "
    "Williams Wilson Zielinski"
)
_TRADES = "Bygg Consulting Dental Electric Foods Garden Health IT Logistics Marine Metal Optics Paper Power Travel"
_FIRST_DAY = datetime(2025, 1, 1, 8, tzinfo=UTC)
_DAYS = 512
_AT_HOME = range(6, 18)
_PARENT_TYPE = lookup_type_of("_parentcustomerid_value")


def add_customers(tables: Tables, *, contacts: int, accounts: int, seed: int) -> None:
    """Add contacts and accounts to tables that nobody uses yet.

    Most contacts have a mobile number of their own, some share one, some have their company's number; numbers are
    spelled in many ways, a few in none that can be read. Three in a hundred rows are inactive, some of them merged.
    Owners are the users of the organisation. Numbers repeat beyond `MAX_CONTACTS` and `MAX_ACCOUNTS`.
    """
    users = [row for row in tables.rows("systemusers") if not (row.get("isdisabled") or row.get("applicationid"))]
    generator = _Generator(Random(seed), [row["systemuserid"] for row in users])  # noqa: S311 - nothing secret
    tables.fill("accounts", generator.make_accounts(accounts))
    tables.fill("contacts", generator.make_contacts(contacts))


class _Generator:
    """Makes rows one after the other; contacts know the accounts made before."""

    def __init__(self, random: Random, owners: Sequence[str]) -> None:
        self._random = random
        self._bits = random.getrandbits
        self._first_names, self._last_names = _FIRST_NAMES.split(), _LAST_NAMES.split()
        self._trades = _TRADES.split()
        self._owners: Sequence[str | None] = owners or [None]
        self._spellings = [spelling for share, spelling in SPELLINGS for _ in range(share)]
        self._days = [render_instant(_FIRST_DAY + timedelta(days=day)) for day in range(_DAYS)]
        self._made = 0
        self._latest_mobiles: dict[str, int] = {}
        self._accounts: list[tuple[str, Region]] = []

    def make_accounts(self, number: int) -> Iterator[Row]:
        """Yield accounts, a sixth of them below an earlier one."""
        for index in range(number):
            region = self._pick(REGIONS)
            row = self._make_row("accountid")
            row["name"] = f"{self._pick(self._last_names)} {self._pick(self._trades)} {region.company}"
            row["accountnumber"] = f"G-{index:06d}"
            row["address1_country"] = region.country
            row["telephone1"] = self._spell(region, region.office.pick(index))
            row["accountcategorycode"] = 1 if self._bits(5) == 0 else 2
            if self._accounts and self._random.random() < 1 / 6:
                row["_parentaccountid_value"] = self._pick(self._accounts)[0]
            self._retire(row, [account_id for account_id, _ in self._accounts[-1:]])
            self._accounts.append((row["accountid"], region))
            yield row

    def make_contacts(self, number: int) -> Iterator[Row]:
        """Yield contacts, seven in eight of them with a company."""
        before: list[str] = []
        for index in range(number):
            row = self._make_row("contactid")
            row["firstname"], row["lastname"] = self._pick(self._first_names), self._pick(self._last_names)
            row["fullname"] = f"{row['firstname']} {row['lastname']}"
            row["donotemail"] = False
            row["emailaddress1"] = f"person{index}@example.com"
            region = self._employ(row) if self._accounts and self._bits(3) else self._pick(REGIONS)
            row["address1_country"] = region.country
            self._give_phones(row, region, index)
            self._retire(row, before)
            before = [row["contactid"]]
            yield row

    def _employ(self, row: Row) -> Region:
        """Give a contact a company and, one time in four, its switchboard; return the company's region."""
        place = int(self._random.random() * len(self._accounts))
        row["_parentcustomerid_value"], region = self._accounts[place]
        row[_PARENT_TYPE] = "account"
        if self._bits(2) == 0:
            row["telephone1"] = self._spell(region, region.office.pick(place))
        return region

    def _give_phones(self, row: Row, region: Region, index: int) -> None:
        """Of 128 contacts, 110 have a mobile number of their own, 2 another's, 12 a number at home, 4 none."""
        match self._bits(7):
            case 0 | 1 | 2 | 3:
                pass
            case 4 | 5:
                shared = self._latest_mobiles.get(region.code, index)
                row["mobilephone"] = self._spell(region, region.mobile.pick(shared))
            case chance if chance in _AT_HOME:
                row["telephone2"] = self._spell(region, region.home.pick(index))
            case _:
                self._latest_mobiles[region.code] = index
                row["mobilephone"] = self._spell(region, region.mobile.pick(index))

    def _make_row(self, key: str) -> Row:
        """Return what all rows have; no more columns than fit the smallest dictionary that holds them."""
        owner = self._pick(self._owners)
        return {
            key: self._make_id(),
            "statecode": 0,
            "statuscode": 1,
            "merged": False,
            "donotphone": False,
            "creditonhold": False,
            "createdon": self._days[0],
            "modifiedon": self._days[self._bits(9)],
            "_ownerid_value": owner,
            "_owninguser_value": owner,
        }

    def _pick(self, items: Sequence[T]) -> T:
        return items[int(self._random.random() * len(items))]

    def _retire(self, row: Row, before: Sequence[str]) -> None:
        """Make a few rows inactive, and some of them merged into the row before."""
        if self._bits(5):
            return
        row["statecode"], row["statuscode"] = 1, 2
        if before and not self._bits(2):
            row["merged"], row["_masterid_value"] = True, before[0]

    def _spell(self, region: Region, groups: Sequence[str]) -> str:
        return self._spellings[self._bits(10)](region, groups)

    def _make_id(self) -> str:
        """Return the next id: they ascend, as those that Dataverse makes itself nearly do."""
        self._made += 1
        digits = f"{self._bits(88):022x}"
        return f"{self._made:08x}-{digits[:4]}-4{digits[4:7]}-8{digits[7:10]}-{digits[10:]}"
