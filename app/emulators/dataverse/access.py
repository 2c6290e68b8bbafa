"""Who the caller is and what its roles let it do (Dataverse contract, sections 6.4 and 7.3)."""

from collections.abc import Iterable, Iterator

from app.emulators.dataverse.errors import NOT_A_MEMBER, WireError, privilege_missing
from app.emulators.dataverse.schema import Table
from app.emulators.dataverse.tables import Row, Tables

ORGANISATION_DEPTH = 8
_ALL_POWERFUL = "System Administrator"
_DEPTHS = {1: "Basic", 2: "Local", 4: "Deep", 8: "Global"}


def find_user(tables: Tables, client_id: str) -> Row:
    """Return the application user of a client. Raises WireError (403) when the organisation has none."""
    wanted = client_id.lower()
    user = next((row for row in tables.rows("systemusers") if row.get("applicationid") == wanted), None)
    if user is None or user["isdisabled"]:
        raise WireError(403, NOT_A_MEMBER, "The user is not a member of the organization.")
    return user


def require_privilege(tables: Tables, user: Row, verb: str, table: Table, *, depth: int = 1) -> None:
    """Refuse (403) a user without `prv<verb><table>` at `depth` or wider; a verb may be a whole privilege name."""
    name = verb if verb.startswith("prv") else f"prv{verb}{table.privilege}"
    granted = max((reach for reach, privilege in _reaches(tables, user) if privilege in {name, "*"}), default=0)
    if granted < depth:
        raise privilege_missing(user["systemuserid"], name)


def list_privileges(tables: Tables, user: Row) -> list[dict[str, str]]:
    """Return the answer of `RetrieveUserPrivileges`, one entry per privilege at its widest depth."""
    widest: dict[str, tuple[int, Row]] = {}
    for role in find_roles(tables, user):
        for depth, privilege in _privileges_of(tables, role):
            if depth > widest.get(privilege["name"], (0, privilege))[0]:
                widest[privilege["name"]] = depth, privilege
    unit = user.get("_businessunitid_value") or ""
    return [
        {
            "Depth": _DEPTHS[depth],
            "PrivilegeId": privilege["privilegeid"],
            "BusinessUnitId": unit,
            "PrivilegeName": name,
        }
        for name, (depth, privilege) in sorted(widest.items())
    ]


def find_roles(tables: Tables, user: Row) -> list[Row]:
    """Return the roles a user holds directly and through teams."""
    users, teams = tables.schema["systemusers"], tables.schema["teams"]
    held = tables.related(users, user, users.navigations["systemuserroles_association"])
    through = tables.group_related(teams, teams.navigations["teamroles_association"])
    for team in tables.related(users, user, users.navigations["teammembership_association"]):
        held = [*held, *through.get(team["teamid"], [])]
    return held


def _reaches(tables: Tables, user: Row) -> Iterator[tuple[int, str]]:
    for role in find_roles(tables, user):
        if role["name"] == _ALL_POWERFUL:
            yield ORGANISATION_DEPTH, "*"
        for depth, privilege in _privileges_of(tables, role):
            yield depth, privilege["name"]


def _privileges_of(tables: Tables, role: Row) -> Iterable[tuple[int, Row]]:
    """Copies of a role in other business units share the privileges of the root role."""
    if role["name"] == _ALL_POWERFUL:
        return [(ORGANISATION_DEPTH, privilege) for privilege in tables.rows("privileges")]
    owners = {role["roleid"], role.get("_parentrootroleid_value")}
    links = [link for link in tables.rows("roleprivilegescollection") if link["roleid"] in owners]
    found = ((link["privilegedepthmask"], tables.find("privileges", link["privilegeid"])) for link in links)
    return [(depth, privilege) for depth, privilege in found if privilege is not None]
