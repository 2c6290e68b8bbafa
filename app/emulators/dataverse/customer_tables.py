"""Contacts, accounts and cases (Dataverse contract, section 2)."""

from app.emulators.dataverse.declaration import OWNER, STAMPS, STATE, STATUS, collection, declare
from app.emulators.dataverse.schema import Table

_CONTACT_PHONES = (
    "mobilephone telephone1 telephone2 telephone3 business2 home2 company assistantphone managerphone callback pager "
    "fax address1_telephone1 address1_telephone2 address1_telephone3 address2_telephone1 address1_fax"
)
_ACCOUNT_PHONES = "telephone1 telephone2 telephone3 fax address1_telephone1 address1_telephone2 address2_telephone1"
_CUSTOMER_TYPE = {
    1: "Competitor",
    2: "Consultant",
    3: "Customer",
    4: "Investor",
    5: "Partner",
    6: "Influencer",
    7: "Press",
    8: "Prospect",
    9: "Reseller",
    10: "Supplier",
    11: "Vendor",
    12: "Other",
}


def declare_contact() -> Table:
    """Declare `contacts`."""
    return declare(
        "contact",
        "contacts",
        key="contactid",
        name="fullname",
        texts={
            50: f"firstname lastname {_CONTACT_PHONES}",
            160: "fullname",
            250: "address1_line1",
            100: "emailaddress1 emailaddress2 jobtitle department address1_city address1_country",
        },
        booleans="donotphone donotemail creditonhold merged",
        choices={
            "statecode": STATE,
            "statuscode": STATUS,
            "customertypecode": {1: "Default Value"},
            "accountrolecode": {1: "Decision Maker", 2: "Employee", 3: "Influencer"},
            "preferredcontactmethodcode": {1: "Any", 2: "Email", 3: "Phone", 4: "Fax", 5: "Mail"},
        },
        instants=STAMPS,
        lookups={
            "parentcustomerid": "accounts contacts",
            "masterid": "contacts",
            "preferredsystemuserid": "systemusers",
            **OWNER,
        },
        related=(
            collection("Contact_Phonecalls", target="phonecalls", attribute="regardingobjectid"),
            collection("incident_customer_contacts", target="incidents", attribute="customerid"),
        ),
        privilege="Contact",
        tracks_changes=True,
    )


def declare_account() -> Table:
    """Declare `accounts`."""
    return declare(
        "account",
        "accounts",
        key="accountid",
        name="name",
        texts={
            50: _ACCOUNT_PHONES,
            160: "name",
            20: "accountnumber",
            250: "address1_line1",
            100: "emailaddress1 address1_city address1_country",
        },
        booleans="creditonhold donotphone merged",
        choices={
            "statecode": STATE,
            "statuscode": STATUS,
            "accountcategorycode": {1: "Preferred Customer", 2: "Standard"},
            "customertypecode": _CUSTOMER_TYPE,
            "accountratingcode": {1: "Default Value"},
            "accountclassificationcode": {1: "Default Value"},
            "businesstypecode": {1: "Default Value"},
            "ownershipcode": {1: "Public", 2: "Private", 3: "Subsidiary", 4: "Other"},
        },
        instants=STAMPS,
        lookups={
            "parentaccountid": "accounts",
            "primarycontactid": "contacts",
            "masterid": "accounts",
            "preferredsystemuserid": "systemusers",
            **OWNER,
        },
        related=(
            collection("contact_customer_accounts", target="contacts", attribute="parentcustomerid"),
            collection("account_parent_account", target="accounts", attribute="parentaccountid"),
            collection("incident_customer_accounts", target="incidents", attribute="customerid"),
            collection("Account_Phonecalls", target="phonecalls", attribute="regardingobjectid"),
        ),
        privilege="Account",
        tracks_changes=True,
    )


def declare_lead() -> Table:
    """Declare `leads`: people and companies who may become customers."""
    return declare(
        "lead",
        "leads",
        key="leadid",
        name="fullname",
        texts={
            50: "firstname lastname mobilephone telephone1 telephone2 telephone3",
            160: "fullname subject",
            100: "emailaddress1 jobtitle companyname address1_country",
        },
        choices={
            "statecode": {0: "Open", 1: "Qualified", 2: "Disqualified"},
            "statuscode": {1: "New", 2: "Contacted", 3: "Qualified", 4: "Lost"},
            "leadqualitycode": {1: "Hot", 2: "Warm", 3: "Cold"},
        },
        instants=STAMPS,
        lookups=OWNER,
        privilege="Lead",
        tracks_changes=True,
    )


def declare_incident() -> Table:
    """Declare `incidents`, shown to people as cases."""
    return declare(
        "incident",
        "incidents",
        key="incidentid",
        name="title",
        texts={200: "title", 100: "ticketnumber", 2000: "description"},
        booleans="isescalated",
        choices={
            "statecode": {0: "Active", 1: "Resolved", 2: "Cancelled"},
            "statuscode": {
                1: "In Progress",
                2: "On Hold",
                3: "Waiting for Details",
                4: "Researching",
                5: "Problem Solved",
                6: "Cancelled",
                1000: "Information Provided",
                2000: "Merged",
            },
            "prioritycode": {1: "High", 2: "Normal", 3: "Low"},
            "severitycode": {1: "Default Value"},
            "caseorigincode": {1: "Phone", 2: "Email", 3: "Web"},
            "contractservicelevelcode": {1: "Gold", 2: "Silver", 3: "Bronze"},
        },
        instants=STAMPS,
        lookups={"customerid": "accounts contacts", "primarycontactid": "contacts", **OWNER},
        related=(collection("Incident_Phonecalls", target="phonecalls", attribute="regardingobjectid"),),
        privilege="Incident",
        tracks_changes=True,
    )
