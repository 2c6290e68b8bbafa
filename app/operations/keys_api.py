"""`/admin/keys`: keys for scripts. The text of a key is shown once, when it is made."""

from datetime import datetime
from typing import Self

from fastapi import APIRouter, Response, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.auth.access import SettingsManagerDep
from app.auth.api_keys import NewKey
from app.auth.store import StoredKey
from app.operations.deps import OperationsDep
from app.settings import Role
from app.web.parameters import KeyId, show_time
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/keys", tags=["Access"])

_MAX_OVERLAP = 30 * 86_400


class KeyBody(BaseModel):
    """A key without its text."""

    id: str
    label: str
    role: Role
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used: datetime | None = Field(description="To the minute.")

    @classmethod
    def of(cls, key: StoredKey) -> Self:
        """Take a kept key."""
        return cls(
            id=key.id,
            label=key.label,
            role=key.role,
            created_by=key.created_by,
            created_at=show_time(key.created_at),
            expires_at=show_time(key.expires_at),
            revoked_at=show_time(key.revoked_at),
            last_used=show_time(key.last_used),
        )


class NewKeyBody(KeyBody):
    """A key at the only moment it can be seen."""

    key: str = Field(description="Keep it now: it is not shown again.")

    @classmethod
    def show(cls, made: NewKey) -> Self:
        """Take a new key."""
        return cls(**KeyBody.of(made.kept).model_dump(), key=made.text)


class KeyRequest(BaseModel):
    """The key to make."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"label": "ci", "role": "Voice ApiUser"}]}
    )

    label: str = Field(min_length=1, max_length=60, pattern=r"^[\w .@-]+$", description="Who will use it.")
    role: Role
    expires_at: AwareDatetime | None = Field(default=None, description="With a time zone; null for never.")


class RotationBody(BaseModel):
    """How long the old key goes on working."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    overlap_seconds: int = Field(default=86_400, ge=0, le=_MAX_OVERLAP)


@router.get("", summary="List keys", responses=problems(503))
async def list_keys(_manager: SettingsManagerDep, operations: OperationsDep) -> list[KeyBody]:
    """List every key that was made here, the newest first; keys of the settings are not among them."""
    return [KeyBody.of(key) for key in await operations.keys.list_all()]


@router.post("", summary="Make a key", status_code=status.HTTP_201_CREATED, responses=problems(409, 422, 503))
async def create_key(
    wish: KeyRequest, manager: SettingsManagerDep, operations: OperationsDep, response: Response
) -> NewKeyBody:
    """Make a key and show it once; only a digest is kept."""
    response.headers["Cache-Control"] = "no-store"
    expires_at = wish.expires_at.timestamp() if wish.expires_at else None
    return NewKeyBody.show(await operations.keys.create(wish.label, wish.role, expires_at=expires_at, who=manager.name))


@router.post(
    "/{key_id}/rotate",
    summary="Rotate a key",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404, 409, 422, 503),
)
async def rotate_key(
    key_id: KeyId, body: RotationBody, manager: SettingsManagerDep, operations: OperationsDep, response: Response
) -> NewKeyBody:
    """Make a new key of the same label and role; the old one goes on working for the overlap."""
    response.headers["Cache-Control"] = "no-store"
    return NewKeyBody.show(await operations.keys.rotate(key_id, overlap_seconds=body.overlap_seconds, who=manager.name))


@router.delete(
    "/{key_id}", summary="Revoke a key", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404, 503)
)
async def revoke_key(key_id: KeyId, manager: SettingsManagerDep, operations: OperationsDep) -> None:
    """End a key at once, on every replica."""
    await operations.keys.revoke(key_id, who=manager.name)
