"""What there is to hold in this organisation: the roles of Voice in every business unit, teams and profiles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.dataverse.client import DataverseClient, Row
from app.dataverse.errors import RecordNotFoundError
from app.settings import Role
from app.users.dataverse_rows import quote_text, read_rows, read_rows_for
from app.users.user import Profile, Team

__all__ = ["Catalogue", "read_catalogue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Roles and their copies, the teams that carry them, and the agent experience profiles."""

    copies: Mapping[str, Mapping[str, str]]
    """Role name -> business unit -> role id: every unit has its own copy (Dataverse contract, section 7.3)."""
    names: Mapping[str, str]
    """Role id -> role name."""
    teams: Mapping[str, Team]
    """Teams that carry at least one of the roles."""
    profiles: Mapping[str, Profile] | None
    """`None` where there is no such table."""

    def find_copy(self, role: Role, unit_id: str | None) -> str | None:
        """Return the id of the role's copy in a business unit."""
        return self.copies.get(role, {}).get(unit_id or "")


async def read_catalogue(
    client: DataverseClient, *, equivalents: Sequence[str] = (), profiles: Sequence[str] = ()
) -> Catalogue:
    """Read it; `equivalents` are further roles that carry Voice, `profiles` the names that matter, all when empty.

    Raises DataverseError.
    """
    spellings = {name.casefold(): name for name in (*(role.value for role in Role), *equivalents)}
    wanted = " or ".join(f"name eq {quote_text(name)}" for name in spellings.values())
    rows = await read_rows(client, "roles", select="roleid,name,_businessunitid_value", filter=wanted)
    roles = [row for row in rows if str(row.get("name")).casefold() in spellings]
    names = {str(row["roleid"]): spellings[row["name"].casefold()] for row in roles}
    copies: dict[str, dict[str, str]] = {}
    for row in roles:
        copies.setdefault(names[row["roleid"]], {})[str(row.get("_businessunitid_value"))] = row["roleid"]
    return Catalogue(
        copies=copies,
        names=names,
        teams=await _read_teams(client, names),
        profiles=await _read_profiles(client, profiles),
    )


async def _read_teams(client: DataverseClient, role_ids: Iterable[str]) -> dict[str, Team]:
    links = await read_rows_for(client, "teamrolescollection", "roleid", role_ids, select="teamid,roleid")
    carried: dict[str, set[str]] = {}
    for link in links:
        carried.setdefault(link["teamid"], set()).add(link["roleid"])
    rows = await read_rows_for(client, "teams", "teamid", carried, select="teamid,name,teamtype")
    return {row["teamid"]: _read_team(row, carried[row["teamid"]]) for row in rows}


def _read_team(row: Row, role_ids: Iterable[str]) -> Team:
    kind = row.get("teamtype")
    return Team(
        id=row["teamid"],
        name=row.get("name") or "",
        kind=kind if isinstance(kind, int) else None,
        role_ids=frozenset(role_ids),
    )


async def _read_profiles(client: DataverseClient, wanted: Sequence[str]) -> dict[str, Profile] | None:
    try:
        rows = await read_rows(client, "msdyn_appconfigurations", select="msdyn_appconfigurationid,msdyn_name")
    except RecordNotFoundError:
        return None
    folded = {name.casefold() for name in wanted}
    found = (Profile(id=row["msdyn_appconfigurationid"], name=row.get("msdyn_name") or "") for row in rows)
    return {profile.id: profile for profile in found if not folded or profile.name.casefold() in folded}
