"""Who may call a route, as types for its signature."""

from typing import Annotated

from app.auth.access import requires
from app.auth.principals import Principal
from app.auth.roles import Permission

__all__ = [
    "AuditReaderDep",
    "DecisionReaderDep",
    "EraserDep",
    "OperatorDep",
    "OwnReadinessDep",
    "RulesEditorDep",
    "RulesPublisherDep",
    "RulesReaderDep",
    "SettingsManagerDep",
    "SimulatorDep",
    "StatusReaderDep",
    "UserManagerDep",
    "UserReaderDep",
]

AuditReaderDep = Annotated[Principal, requires(Permission.READ_AUDIT)]
DecisionReaderDep = Annotated[Principal, requires(Permission.READ_DECISIONS)]
EraserDep = Annotated[Principal, requires(Permission.ERASE_NUMBERS)]
OperatorDep = Annotated[Principal, requires(Permission.OPERATE)]
OwnReadinessDep = Annotated[Principal, requires(Permission.READ_OWN_READINESS)]
RulesEditorDep = Annotated[Principal, requires(Permission.EDIT_RULES)]
RulesPublisherDep = Annotated[Principal, requires(Permission.PUBLISH_RULES)]
RulesReaderDep = Annotated[Principal, requires(Permission.READ_RULES)]
SettingsManagerDep = Annotated[Principal, requires(Permission.MANAGE_SETTINGS)]
SimulatorDep = Annotated[Principal, requires(Permission.SIMULATE)]
StatusReaderDep = Annotated[Principal, requires(Permission.READ_STATUS)]
UserManagerDep = Annotated[Principal, requires(Permission.MANAGE_USERS)]
UserReaderDep = Annotated[Principal, requires(Permission.READ_USERS)]
