"""Phone calls and who took part in them (Dataverse contract, section 7.5)."""

from app.emulators.dataverse.declaration import OWNER, STAMPS, collection, declare
from app.emulators.dataverse.schema import Table

_PARTICIPATION = {
    1: "Sender",
    2: "To Recipient",
    3: "CC Recipient",
    4: "BCC Recipient",
    5: "Required attendee",
    6: "Optional attendee",
    7: "Organizer",
    8: "Regarding",
    9: "Owner",
    10: "Resource",
    11: "Customer",
    12: "Chat Participant",
    13: "Related",
}


def declare_phone_call() -> Table:
    """Declare `phonecalls`."""
    regarding = {"contact": "contacts", "account": "accounts", "incident": "incidents"}
    return declare(
        "phonecall",
        "phonecalls",
        key="activityid",
        name="subject",
        texts={200: "subject phonenumber", 2000: "description", 250: "category subcategory"},
        integers="actualdurationminutes scheduleddurationminutes",
        booleans={
            "directioncode": {0: "Incoming", 1: "Outgoing"},
            "leftvoicemail": {0: "No", 1: "Yes"},
        },
        choices={
            "statecode": {0: "Open", 1: "Completed", 2: "Canceled"},
            "statuscode": {1: "Open", 2: "Made", 3: "Canceled", 4: "Received"},
            "prioritycode": {0: "Low", 1: "Normal", 2: "High"},
        },
        instants=f"actualstart actualend scheduledstart scheduledend overriddencreatedon {STAMPS}",
        lookups={"regardingobjectid": "contacts accounts incidents", **OWNER},
        singles={f"regardingobjectid_{name}_phonecall": ("regardingobjectid", to) for name, to in regarding.items()},
        related=(collection("phonecall_activity_parties", target="activityparties", attribute="activityid"),),
        privilege="Activity",
        tracks_changes=True,
    )


def declare_activity_party() -> Table:
    """Declare `activityparties`."""
    return declare(
        "activityparty",
        "activityparties",
        key="activitypartyid",
        name="addressused",
        texts={200: "addressused unresolvedpartyname"},
        choices={"participationtypemask": _PARTICIPATION},
        lookups={"activityid": "phonecalls", "partyid": "contacts accounts systemusers"},
        singles={"activityid_phonecall": ("activityid", "phonecalls")},
        privilege="Activity",
    )
