"""The yardstick: a bare FastAPI route that validates the same body and returns a constant."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

__all__ = ["app"]


class CallBody(BaseModel):
    """The body of the webhook, as most people would declare it."""

    anum: str
    bnum: str | None = None
    targetid: str | None = None
    extradata: dict[str, Any] | None = None


app = FastAPI()


@app.post("/smartrouting")
async def answer(call: CallBody) -> dict[str, str]:
    """Return a constant."""
    return {"InitialTarget": call.targetid or ""}
