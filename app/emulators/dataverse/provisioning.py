"""Gives an organisation what no real one is without: its row, a business unit and an all-powerful application user."""

from uuid import UUID, uuid5

from app.emulators.dataverse.organisation import provide_organisation
from app.emulators.dataverse.tables import Row, Tables

_NAMESPACE = UUID("0f6a4f0e-3d5c-4a39-8c0e-7a5f1d2b9c44")
_DATED = {"createdon": "2026-01-01T08:00:00Z", "modifiedon": "2026-01-01T08:00:00Z"}


def provision(tables: Tables, client_id: str) -> None:
    """Add a root business unit where there is none, and an application user for `client_id` where there is none at all.

    Data that brings its own application users is taken at its word, so that a missing one can be shown.
    """
    provide_organisation(tables)
    unit = _provide_unit(tables)
    for table in ("systemusers", "teams", "roles"):
        for row in tables.rows(table):
            row["_businessunitid_value"] = row.get("_businessunitid_value") or unit
    if not any(row.get("applicationid") for row in tables.rows("systemusers")):
        _add_application_user(tables, client_id, unit)


def _provide_unit(tables: Tables) -> str:
    roots = (row for row in tables.rows("businessunits") if row.get("_parentbusinessunitid_value") is None)
    root = next(roots, None)
    if root is None:
        unit: Row = {"businessunitid": _identify("unit"), "name": "Organisation", "isdisabled": False}
        root = tables.store("businessunits", unit | _DATED)
    return str(root["businessunitid"])


def _add_application_user(tables: Tables, client_id: str, unit: str) -> None:
    role_id, user_id = _identify("role"), _identify("user")
    role: Row = {"roleid": role_id, "name": "System Administrator", "_parentrootroleid_value": role_id}
    tables.store("roles", role | {"_businessunitid_value": unit} | _DATED)
    user: Row = {"systemuserid": user_id, "fullname": "# Smart Routing", "applicationid": client_id, "accessmode": 4}
    flags = {"isdisabled": False, "islicensed": False, "isintegrationuser": True}
    tables.store("systemusers", user | flags | {"_businessunitid_value": unit} | _DATED)
    link = {"systemuserroleid": _identify("link"), "systemuserid": user_id, "roleid": role_id}
    tables.store("systemuserrolescollection", link)


def _identify(name: str) -> str:
    return str(uuid5(_NAMESPACE, name))
