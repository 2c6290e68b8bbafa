"""Connects to the Enreach API."""

from contextlib import AsyncExitStack

from app.bootstrap.upstreams import Upstreams, open_http
from app.enreach.client import EnreachClient
from app.settings import EnreachSettings

__all__ = ["connect_enreach"]


def connect_enreach(settings: EnreachSettings, upstreams: Upstreams, stack: AsyncExitStack) -> EnreachClient | None:
    """Make the client of the Enreach API, or `None` when the settings name no such API; nothing is sent yet.

    Raises EnreachNotConfiguredError for an unusable URL.
    """
    if settings.url is None or settings.user is None or settings.secret is None:
        return None
    http = open_http(upstreams.enreach, stack)
    return EnreachClient(http=http, base_url=settings.url, user=settings.user, secret=settings.secret)
