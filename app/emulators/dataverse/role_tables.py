"""Security roles and the privileges they give (Dataverse contract, section 7.3)."""

from app.emulators.dataverse.declaration import STAMPS, declare, linked
from app.emulators.dataverse.schema import Table


def declare_role() -> Table:
    """Declare `roles`, one row per business unit."""
    return declare(
        "role",
        "roles",
        key="roleid",
        name="name",
        texts={100: "name"},
        choices={"isinherited": {0: "Team privileges only", 1: "Direct User (Basic) access level and Team privileges"}},
        guids="organizationid",
        instants=STAMPS,
        lookups={"businessunitid": "businessunits", "parentrootroleid": "roles", "parentroleid": "roles"},
        related=(
            linked("systemuserroles_association", "systemusers", "systemuserrolescollection", "roleid", "systemuserid"),
            linked("teamroles_association", "teams", "teamrolescollection", "roleid", "teamid"),
            linked("roleprivileges_association", "privileges", "roleprivilegescollection", "roleid", "privilegeid"),
        ),
        privilege="Role",
    )


def declare_privilege() -> Table:
    """Declare `privileges`."""
    return declare(
        "privilege",
        "privileges",
        key="privilegeid",
        name="name",
        texts={100: "name"},
        integers="accessright",
        related=(linked("roleprivileges_association", "roles", "roleprivilegescollection", "privilegeid", "roleid"),),
        privilege="Role",
    )
