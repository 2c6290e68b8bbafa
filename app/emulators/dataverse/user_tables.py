"""Users, teams, business units and profiles (Dataverse contract, sections 7.1 to 7.4)."""

from app.emulators.dataverse.declaration import OWNER, STAMPS, STATE, STATUS, collection, declare, linked
from app.emulators.dataverse.schema import Table


def declare_system_user() -> Table:
    """Declare `systemusers`."""
    return declare(
        "systemuser",
        "systemusers",
        key="systemuserid",
        name="fullname",
        texts={
            200: "fullname",
            256: "firstname lastname",
            100: "internalemailaddress title employeeid",
            1024: "domainname applicationiduri",
            64: "mobilephone address1_telephone1",
            50: "homephone",
        },
        integers="identityid",
        booleans="isdisabled islicensed isintegrationuser",
        choices={
            "accessmode": {
                0: "Read-Write",
                1: "Administrative",
                2: "Read",
                3: "Support User",
                4: "Non-interactive",
                5: "Delegated Admin",
            }
        },
        guids="azureactivedirectoryobjectid applicationid organizationid",
        instants=STAMPS,
        lookups={"businessunitid": "businessunits", "parentsystemuserid": "systemusers", "queueid": ""},
        related=(
            linked("teammembership_association", "teams", "teammemberships", "systemuserid", "teamid"),
            linked("systemuserroles_association", "roles", "systemuserrolescollection", "systemuserid", "roleid"),
            linked(
                "msdyn_appconfiguration_systemuser",
                "msdyn_appconfigurations",
                "msdyn_appconfiguration_systemuserset",
                "systemuserid",
                "msdyn_appconfigurationid",
            ),
        ),
        privilege="User",
        tracks_changes=True,
    )


def declare_team() -> Table:
    """Declare `teams`."""
    return declare(
        "team",
        "teams",
        key="teamid",
        name="name",
        texts={160: "name", 100: "emailaddress", 2000: "description"},
        booleans="isdefault",
        choices={
            "teamtype": {0: "Owner", 1: "Access", 2: "Security Group", 3: "Office Group"},
            "membershiptype": {0: "Members and guests", 1: "Members", 2: "Owners", 3: "Guests"},
        },
        guids="azureactivedirectoryobjectid organizationid",
        instants=STAMPS,
        lookups={"businessunitid": "businessunits", "administratorid": "systemusers"},
        related=(
            linked("teammembership_association", "systemusers", "teammemberships", "teamid", "systemuserid"),
            linked("teamroles_association", "roles", "teamrolescollection", "teamid", "roleid"),
        ),
        privilege="Team",
        alternate_key=("azureactivedirectoryobjectid", "membershiptype"),
        tracks_changes=True,
    )


def declare_business_unit() -> Table:
    """Declare `businessunits`."""
    return declare(
        "businessunit",
        "businessunits",
        key="businessunitid",
        name="name",
        texts={160: "name"},
        booleans="isdisabled",
        guids="organizationid",
        instants=STAMPS,
        lookups={"parentbusinessunitid": "businessunits"},
        related=(
            collection("business_unit_system_users", target="systemusers", attribute="businessunitid"),
            collection("business_unit_teams", target="teams", attribute="businessunitid"),
            collection("business_unit_roles", target="roles", attribute="businessunitid"),
        ),
        privilege="BusinessUnit",
    )


def declare_app_profile() -> Table:
    """Declare `msdyn_appconfigurations`, shown to people as agent experience profiles."""
    return declare(
        "msdyn_appconfiguration",
        "msdyn_appconfigurations",
        key="msdyn_appconfigurationid",
        name="msdyn_name",
        texts={100: "msdyn_name msdyn_uniquename msdyn_appmoduleuniquename", 2000: "msdyn_description"},
        integers="msdyn_profileorder",
        choices={"statecode": STATE, "statuscode": STATUS},
        instants=STAMPS,
        lookups=OWNER,
        related=(
            linked(
                "msdyn_appconfiguration_systemuser",
                "systemusers",
                "msdyn_appconfiguration_systemuserset",
                "msdyn_appconfigurationid",
                "systemuserid",
            ),
        ),
        privilege="msdyn_appconfiguration",
    )
