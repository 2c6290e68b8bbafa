"""Reads who holds what, for a few people or for all, in a handful of questions and never one a person."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from app.dataverse.client import DataverseClient, Row
from app.users.dataverse_rows import read_rows, read_rows_for
from app.users.role_catalog import Catalogue
from app.users.user import HeldRole, Profile, User, VoiceUser

__all__ = ["Memberships", "read_memberships"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memberships:
    """Roles and profiles by user."""

    roles: Mapping[str, tuple[HeldRole, ...]]
    profiles: Mapping[str, tuple[Profile, ...]] | None

    def describe(self, user: User) -> VoiceUser:
        """Put a person together with what they hold."""
        profiles = None if self.profiles is None else self.profiles.get(user.id, ())
        return VoiceUser(user=user, roles=self.roles.get(user.id, ()), profiles=profiles)


async def read_memberships(
    client: DataverseClient, catalogue: Catalogue, users: Collection[str] | None, *, strong: bool = False
) -> Memberships:
    """Read what these users hold, or what anybody holds for `None`; `strong` for reading back a change.

    Effective roles are the direct ones and those of teams (Dataverse contract, section 7.2). Raises DataverseError.
    """
    direct = await _read_links(client, "systemuserrolescollection", "roleid", catalogue.names, users, strong=strong)
    memberships = await _read_links(client, "teammemberships", "teamid", catalogue.teams, users, strong=strong)
    roles: dict[str, list[HeldRole]] = {}
    for link in direct:
        roles.setdefault(link["systemuserid"], []).append(_name_role(catalogue, link["roleid"]))
    for link in memberships:
        roles.setdefault(link["systemuserid"], []).extend(_list_team_roles(catalogue, link["teamid"]))
    return Memberships(
        roles={user: tuple(held) for user, held in roles.items()},
        profiles=await _read_profiles(client, catalogue, users, strong=strong),
    )


async def _read_profiles(
    client: DataverseClient, catalogue: Catalogue, users: Collection[str] | None, *, strong: bool
) -> dict[str, tuple[Profile, ...]] | None:
    if catalogue.profiles is None:
        return None
    links = await _read_links(
        client,
        "msdyn_appconfiguration_systemuserset",
        "msdyn_appconfigurationid",
        catalogue.profiles,
        users,
        strong=strong,
    )
    found: dict[str, tuple[Profile, ...]] = {}
    for link in links:
        profile = catalogue.profiles[link["msdyn_appconfigurationid"]]
        found[link["systemuserid"]] = (*found.get(link["systemuserid"], ()), profile)
    return found


async def _read_links(
    client: DataverseClient,
    table: str,
    column: str,
    wanted: Iterable[str],
    users: Collection[str] | None,
    *,
    strong: bool,
) -> list[Row]:
    """Read the rows between users and the wanted things, narrowed by whichever of the two is given."""
    known = set(wanted)
    if not known:
        return []
    select = f"systemuserid,{column}"
    if users is None:
        rows = await read_rows_for(client, table, column, known, select=select)
    elif len(users) == 1:
        only = f"systemuserid eq {next(iter(users))}"
        rows = await read_rows(client, table, strong=strong, select=select, filter=only)
    else:
        rows = await read_rows_for(client, table, "systemuserid", users, select=select, strong=strong)
    return [row for row in rows if row.get(column) in known]


def _name_role(catalogue: Catalogue, role_id: str) -> HeldRole:
    return HeldRole(name=catalogue.names[role_id], role_id=role_id)


def _list_team_roles(catalogue: Catalogue, team_id: str) -> list[HeldRole]:
    team = catalogue.teams[team_id]
    return [
        HeldRole(name=catalogue.names[role_id], role_id=role_id, team=team)
        for role_id in sorted(team.role_ids)
        if role_id in catalogue.names
    ]
