"""How the organisation is set up (Dataverse contract, section 1.8), and which solutions are installed in it."""

from app.emulators.dataverse.declaration import STAMPS, declare
from app.emulators.dataverse.schema import Table
from app.emulators.dataverse.tables import Tables

ORGANISATION_ID = "77777777-8888-4999-8aaa-bbbbbbbbbbbb"
_TRACKING_DAYS = 7


def declare_organisation() -> Table:
    """Declare `organizations`."""
    return declare(
        "organization",
        "organizations",
        key="organizationid",
        name="name",
        texts={160: "name"},
        integers="expirechangetrackingindays",
        instants=STAMPS,
        privilege="Organization",
    )


def declare_solution() -> Table:
    """Declare `solutions`."""
    return declare(
        "solution",
        "solutions",
        key="solutionid",
        name="friendlyname",
        texts={65: "uniquename", 256: "friendlyname version"},
        booleans="ismanaged isvisible",
        instants=f"installedon {STAMPS}",
        privilege="Solution",
    )


def provide_organisation(tables: Tables) -> None:
    """Add the row where the data bring none."""
    if not tables.rows("organizations"):
        row = {"organizationid": ORGANISATION_ID, "name": "Organisation"}
        tables.store("organizations", row | {"expirechangetrackingindays": _TRACKING_DAYS})


def read_tracking_days(tables: Tables) -> int:
    """Return for how many days a delta token is good."""
    days = (row.get("expirechangetrackingindays") for row in tables.rows("organizations"))
    return next((int(value) for value in days if value is not None), _TRACKING_DAYS)
