"""The routes of operators, together."""

from fastapi import APIRouter

from app.admin import alerts, callers, credentials, drills, erasures

__all__ = ["router"]

router = APIRouter()
for module in (alerts, drills, callers, erasures, credentials):
    router.include_router(module.router)
