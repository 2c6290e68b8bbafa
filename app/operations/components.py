"""The components of operators' work."""

from dataclasses import dataclass
from typing import TypedDict

from app.auth.api_keys import KeyAdministration
from app.operations.alerts import AlertList
from app.operations.credentials import Credentials
from app.operations.deliveries import AlertDeliveries
from app.operations.erasure import Erasure
from app.operations.jobs import JobRunner
from app.store.audit import AuditStore

__all__ = ["OperationComponents", "OperationsState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationComponents:
    """What the routes of this capability use."""

    alerts: AlertList
    audit: AuditStore
    credentials: Credentials
    deliveries: AlertDeliveries
    erasure: Erasure
    jobs: JobRunner
    keys: KeyAdministration


class OperationsState(TypedDict):
    """Its place in the lifespan state."""

    operations: OperationComponents
