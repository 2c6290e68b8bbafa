"""The tables behind the N:N relations; each row pairs two ids."""

from app.emulators.dataverse.declaration import declare
from app.emulators.dataverse.schema import Table


def declare_link_tables() -> tuple[Table, ...]:
    """Declare one table per relation."""
    profiles = ("msdyn_appconfiguration_systemuserset", "msdyn_appconfiguration")
    return (
        _link_table("teammembership", "teammemberships", "teamid systemuserid", "Team"),
        _link_table(
            "systemuserroles", "systemuserrolescollection", "systemuserid roleid", "Role", key="systemuserroleid"
        ),
        _link_table("teamroles", "teamrolescollection", "teamid roleid", "Role", key="teamroleid"),
        _link_table(
            "roleprivileges", "roleprivilegescollection", "roleid privilegeid", "Role", masks="privilegedepthmask"
        ),
        _link_table(
            "msdyn_appconfiguration_systemuser", profiles[0], "msdyn_appconfigurationid systemuserid", profiles[1]
        ),
    )


def _link_table(
    logical_name: str, entity_set: str, pair: str, privilege: str, *, key: str = "", masks: str = ""
) -> Table:
    key = key or f"{logical_name.removesuffix('s')}id"
    return declare(logical_name, entity_set, key=key, name=key, guids=pair, integers=masks, privilege=privilege)
