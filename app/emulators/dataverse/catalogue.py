"""The tables the product uses, as a standard organisation has them (Dataverse contract, sections 2 and 7)."""

from app.emulators.dataverse.activity_tables import declare_activity_party, declare_phone_call
from app.emulators.dataverse.customer_tables import declare_account, declare_contact, declare_incident, declare_lead
from app.emulators.dataverse.link_tables import declare_link_tables
from app.emulators.dataverse.organisation import declare_organisation, declare_solution
from app.emulators.dataverse.role_tables import declare_privilege, declare_role
from app.emulators.dataverse.schema import Schema
from app.emulators.dataverse.user_tables import (
    declare_app_profile,
    declare_business_unit,
    declare_system_user,
    declare_team,
)


def standard_schema() -> Schema:
    """Return the tables of an organisation with Customer Service, without any custom column."""
    tables = (
        *(declare_contact(), declare_account(), declare_lead(), declare_incident()),
        *(declare_phone_call(), declare_activity_party()),
        *(declare_system_user(), declare_team(), declare_business_unit(), declare_app_profile()),
        *(declare_role(), declare_privilege(), declare_organisation(), declare_solution()),
        *declare_link_tables(),
    )
    return {table.entity_set: table for table in tables}
