"""The routes of operators, together."""

from fastapi import APIRouter

from app.calls.drills_api import router as drills
from app.operations.alerts_api import router as alerts
from app.operations.callers_api import router as callers
from app.operations.credentials_api import router as credentials
from app.operations.erasures_api import router as erasures

__all__ = ["router"]

router = APIRouter()
for part in (alerts, drills, callers, erasures, credentials):
    router.include_router(part)
