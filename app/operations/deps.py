"""What operators' routes may ask for."""

from typing import Annotated

from app.auth.access import requires
from app.auth.principals import Principal
from app.auth.roles import Permission
from app.calls.drills import FireDrill
from app.operations.alert_list import AlertList
from app.operations.credentials import Credentials
from app.operations.erasure import Erasure
from app.web.state import take

__all__ = [
    "AlertListDep",
    "CredentialsDep",
    "EraserDep",
    "ErasureDep",
    "FireDrillDep",
    "OperatorDep",
    "StatusReaderDep",
]

OperatorDep = Annotated[Principal, requires(Permission.OPERATE)]
EraserDep = Annotated[Principal, requires(Permission.ERASE_NUMBERS)]
StatusReaderDep = Annotated[Principal, requires(Permission.READ_STATUS)]

ErasureDep = Annotated[Erasure, take("erasure")]
FireDrillDep = Annotated[FireDrill, take("fire_drill")]
CredentialsDep = Annotated[Credentials, take("credentials")]
AlertListDep = Annotated[AlertList, take("alert_list")]
