"""The roles, teams and agent experience profiles of Voice in this organisation, and which users have them.

Read in a handful of questions, for a few users or for all, and never one a user.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from app.dataverse.client import DataverseClient, Row, read_id, read_text
from app.dataverse.errors import RecordNotFoundError
from app.dataverse.queries import build_id_filters, build_path, quote_text
from app.settings import Role, VoiceSettings
from app.users.user import HeldRole, Profile, Team, User, VoiceUser

__all__ = ["Memberships", "RoleCatalog", "read_memberships", "read_role_catalog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleCatalog:
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

    def list_team_roles(self, team_id: str) -> list[HeldRole]:
        """List the roles that the members of a team have through it."""
        team = self.teams[team_id]
        carried = sorted(team.role_ids & self.names.keys())
        return [HeldRole(name=self.names[role_id], role_id=role_id, team=team) for role_id in carried]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memberships:
    """Roles and profiles by user."""

    roles: Mapping[str, Iterable[HeldRole]]
    profiles: Mapping[str, Iterable[Profile]] | None

    def describe(self, user: User) -> VoiceUser:
        """Put a user together with their roles and profiles."""
        profiles = None if self.profiles is None else tuple(self.profiles.get(user.id, ()))
        return VoiceUser(user=user, roles=tuple(self.roles.get(user.id, ())), profiles=profiles)


async def read_role_catalog(client: DataverseClient, voice: VoiceSettings) -> RoleCatalog:
    """Read the three roles of Voice and those the settings name beside them. Raises DataverseError."""
    spellings = {name.casefold(): name for name in (*(role.value for role in Role), *voice.equivalent_roles)}
    wanted = " or ".join(f"name eq {quote_text(name)}" for name in spellings.values())
    rows = await client.get_rows(
        build_path("roles", {"$select": "roleid,name,_businessunitid_value", "$filter": wanted})
    )
    names: dict[str, str] = {}
    copies: dict[str, dict[str, str]] = {}
    for row in rows:
        if name := spellings.get(str(row.get("name")).casefold()):
            role_id = read_id(row, "roleid")
            names[role_id] = name
            copies.setdefault(name, {})[str(row.get("_businessunitid_value"))] = role_id
    return RoleCatalog(
        copies=copies,
        names=names,
        teams=await _read_teams(client, names),
        profiles=await _list_profiles(client, voice.agent_profiles),
    )


async def read_memberships(
    client: DataverseClient, catalog: RoleCatalog, users: Collection[str] | None, *, strong: bool = False
) -> Memberships:
    """Read the roles and profiles of these users, or of everybody for `None`; `strong` reads past the server's caches.

    Effective roles are the direct ones and those of teams (Dataverse contract, section 7.2). Raises DataverseError.
    """
    direct = await _read_links(client, "systemuserrolescollection", "roleid", catalog.names, users, strong=strong)
    members = await _read_links(client, "teammemberships", "teamid", catalog.teams, users, strong=strong)
    roles: dict[str, list[HeldRole]] = {}
    for user_id, role_id in direct:
        roles.setdefault(user_id, []).append(HeldRole(name=catalog.names[role_id], role_id=role_id))
    for user_id, team_id in members:
        roles.setdefault(user_id, []).extend(catalog.list_team_roles(team_id))
    profiles = await _read_profiles(client, catalog.profiles, users, strong=strong)
    return Memberships(roles=roles, profiles=profiles)


async def _read_teams(client: DataverseClient, role_ids: Iterable[str]) -> dict[str, Team]:
    links = await _read_rows_of(client, "teamrolescollection", "roleid", role_ids, select="teamid,roleid")
    carried: dict[str, set[str]] = {}
    for link in links:
        carried.setdefault(read_id(link, "teamid"), set()).add(read_id(link, "roleid"))
    rows = await _read_rows_of(client, "teams", "teamid", carried, select="teamid,name,teamtype")
    teams = (_read_team(row, carried) for row in rows)
    return {team.id: team for team in teams}


def _read_team(row: Row, carried: Mapping[str, Iterable[str]]) -> Team:
    kind, team_id = row.get("teamtype"), read_id(row, "teamid")
    return Team(
        id=team_id,
        name=read_text(row, "name") or "",
        kind=kind if isinstance(kind, int) else None,
        role_ids=frozenset(carried.get(team_id, ())),
    )


async def _list_profiles(client: DataverseClient, wanted: Collection[str]) -> dict[str, Profile] | None:
    """Read the profiles of these names, all of them for no name; `None` where there is no such table."""
    path = build_path("msdyn_appconfigurations", {"$select": "msdyn_appconfigurationid,msdyn_name"})
    try:
        rows = await client.get_rows(path)
    except RecordNotFoundError:
        return None
    folded = {name.casefold() for name in wanted}
    found = (
        Profile(id=read_id(row, "msdyn_appconfigurationid"), name=read_text(row, "msdyn_name") or "") for row in rows
    )
    return {profile.id: profile for profile in found if not folded or profile.name.casefold() in folded}


async def _read_profiles(
    client: DataverseClient, known: Mapping[str, Profile] | None, users: Collection[str] | None, *, strong: bool
) -> dict[str, list[Profile]] | None:
    if known is None:
        return None
    table, column = "msdyn_appconfiguration_systemuserset", "msdyn_appconfigurationid"
    found: dict[str, list[Profile]] = {}
    for user_id, profile_id in await _read_links(client, table, column, known, users, strong=strong):
        found.setdefault(user_id, []).append(known[profile_id])
    return found


async def _read_links(
    client: DataverseClient,
    table: str,
    column: str,
    known: Collection[str],
    users: Collection[str] | None,
    *,
    strong: bool,
) -> list[tuple[str, str]]:
    """Read which user is linked to which of the known things, narrowed by whichever of the two is given."""
    if not known:
        return []
    by, ids = (column, known) if users is None else ("systemuserid", users)
    rows = await _read_rows_of(client, table, by, ids, select=f"systemuserid,{column}", strong=strong)
    links = ((read_id(row, "systemuserid"), read_id(row, column)) for row in rows)
    return [(user_id, other) for user_id, other in links if other in known]


async def _read_rows_of(
    client: DataverseClient, table: str, column: str, ids: Iterable[str], *, select: str, strong: bool = False
) -> list[Row]:
    """Read the rows whose column is one of these ids."""
    found: list[Row] = []
    for condition in build_id_filters(column, ids):
        found += await client.get_rows(build_path(table, {"$select": select, "$filter": condition}), strong=strong)
    return found
