"""A checker can find out which tables, columns and privileges there are."""

from collections.abc import Callable

import httpx

from app.emulators.dataverse import DataverseEmulator

Id = Callable[[int], str]


async def test_columns_of_a_table_are_listed_with_the_custom_ones(api: httpx.AsyncClient) -> None:
    """Logical names, so a lookup without `_…_value`; a column of the data file is custom."""
    path = "EntityDefinitions(LogicalName='contact')/Attributes?$select=LogicalName,AttributeType,IsCustomAttribute"

    rows = {row["LogicalName"]: row for row in (await api.get(path)).json()["value"]}

    assert rows.keys() >= {"mobilephone", "parentcustomerid", "statecode", "new_vip"}
    assert (rows["new_vip"]["AttributeType"], rows["new_vip"]["IsCustomAttribute"]) == ("Boolean", True)
    assert not rows["mobilephone"]["IsCustomAttribute"]


async def test_one_column_can_be_asked_for(api: httpx.AsyncClient) -> None:
    """`$filter` works on metadata."""
    path = "EntityDefinitions(LogicalName='systemuser')/Attributes?$select=LogicalName&$filter=LogicalName eq '{}'"

    found = [(await api.get(path.format(name))).json()["value"] for name in ("new_enreachuserid", "new_other")]

    assert [[row["LogicalName"] for row in rows] for rows in found] == [["new_enreachuserid"], []]


async def test_tables_with_change_tracking_are_listed(api: httpx.AsyncClient) -> None:
    """Contact and account have it, role has not."""
    path = "EntityDefinitions?$select=LogicalName&$filter=ChangeTrackingEnabled eq true"

    names = {row["LogicalName"] for row in (await api.get(path)).json()["value"]}

    assert names >= {"contact", "account"}
    assert "role" not in names


async def test_one_table_is_described(api: httpx.AsyncClient) -> None:
    """Key and name column of a table."""
    path = "EntityDefinitions(LogicalName='incident')?$select=EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute"

    body = (await api.get(path)).json()

    assert (body["EntitySetName"], body["PrimaryIdAttribute"], body["PrimaryNameAttribute"]) == (
        "incidents",
        "incidentid",
        "title",
    )


async def test_who_am_i_names_the_application_user(api: httpx.AsyncClient, make_id: Id) -> None:
    """The health check of every client."""
    body = (await api.get("WhoAmI")).json()

    assert (body["UserId"], body["BusinessUnitId"]) == (make_id(19), make_id(1))
    assert body["OrganizationId"]


async def test_privileges_of_a_user_come_with_their_depth(
    api: httpx.AsyncClient, emulator: DataverseEmulator, make_id: Id
) -> None:
    """Roles held through a team count; the widest depth wins."""
    tables = emulator.tables
    tables.store("privileges", {"privilegeid": make_id(91), "name": "prvReadContact"})
    for number, (role, depth) in enumerate([(31, 1), (34, 8)]):
        grant = {"roleprivilegeid": make_id(92 + number), "roleid": make_id(role), "privilegeid": make_id(91)}
        tables.store("roleprivilegescollection", grant | {"privilegedepthmask": depth})
    tables.store("roles", {"roleid": make_id(34), "name": "Wide", "_businessunitid_value": make_id(1)})
    tables.store(
        "systemuserrolescollection",
        {"systemuserroleid": make_id(95), "systemuserid": make_id(11), "roleid": make_id(31)},
    )
    tables.store("teamrolescollection", {"teamroleid": make_id(96), "teamid": make_id(21), "roleid": make_id(34)})

    response = await api.get(f"systemusers({make_id(11)})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()")

    assert response.json()["RolePrivileges"] == [
        {
            "Depth": "Global",
            "PrivilegeId": make_id(91),
            "BusinessUnitId": make_id(1),
            "PrivilegeName": "prvReadContact",
        }
    ]


async def test_roles_of_a_directory_object(api: httpx.AsyncClient, make_id: Id) -> None:
    """`RetrieveAadUserRoles` finds the user by its Entra id."""
    await api.patch(f"systemusers({make_id(19)})", json={"azureactivedirectoryobjectid": make_id(98)})

    found = await api.get(f"RetrieveAadUserRoles(DirectoryObjectId={make_id(98)})?$select=name,_parentrootroleid_value")
    missing = await api.get(f"RetrieveAadUserRoles(DirectoryObjectId={make_id(97)})")

    assert [row["name"] for row in found.json()["value"]] == ["System Administrator"]
    assert missing.status_code == 404


async def test_a_function_it_does_not_know_is_not_guessed(api: httpx.AsyncClient, make_id: Id) -> None:
    """501 rather than a made-up answer."""
    response = await api.get(f"systemusers({make_id(11)})/Microsoft.Dynamics.CRM.RetrieveUserSettings()")

    assert response.status_code == 501


async def test_choices_of_a_table_are_listed_with_their_labels(api: httpx.AsyncClient) -> None:
    """Each type of choice has a cast of its own, with options that tell values and labels."""
    path = "EntityDefinitions(LogicalName='{}')/Attributes/Microsoft.Dynamics.CRM.{}AttributeMetadata"
    query = "?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"

    picked = (await api.get(path.format("account", "Picklist") + query)).json()["value"]
    states = (await api.get(path.format("account", "State") + query)).json()["value"]
    several = (await api.get(path.format("account", "MultiSelectPicklist") + query)).json()["value"]

    [category] = [row for row in picked if row["LogicalName"] == "accountcategorycode"]
    options = [
        (each["Value"], each["Label"]["UserLocalizedLabel"]["Label"]) for each in category["OptionSet"]["Options"]
    ]
    assert options == [(1, "Preferred Customer"), (2, "Standard")]
    assert category["GlobalOptionSet"] is None
    assert ([row["LogicalName"] for row in states], several) == (["statecode"], [])


async def test_metadata_refuses_what_the_real_service_refuses(api: httpx.AsyncClient) -> None:
    """A cast to a type that is none is not found, and other navigations are not expanded."""
    path = "EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM."

    unknown = await api.get(f"{path}OptionAttributeMetadata")
    expanded = await api.get(f"{path}PicklistAttributeMetadata?$expand=Options")

    assert (unknown.status_code, expanded.status_code) == (404, 400)
