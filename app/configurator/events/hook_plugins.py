"""The plugins that live elsewhere: a signed webhook that is told of events, and an HTTPS hook that may change them."""

from collections.abc import Callable
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import orjson
from pydantic import AfterValidator, Field, SecretStr, ValidationError

from app.configurator.events.context import EventContext, dump_context
from app.configurator.events.plugin import Parameters, PluginError
from app.observability.requests import new_id
from app.operations.hook_sender import HookSender, read_hook_url
from app.operations.signed_hooks import HookMessage
from app.routing.documents import join_pointer
from app.settings.deployment import require_signing_secret

__all__ = ["HttpsHook", "SignedWebhook"]


class HookParameters(Parameters):
    """Where to, and signed with what."""

    url: Annotated[str, Field(max_length=2000), AfterValidator(read_hook_url)]
    """https://…; a query may hold a key."""
    secret: Annotated[SecretStr, AfterValidator(require_signing_secret)] | None = None
    """Signs the messages (Standard Webhooks): whsec_ and 24 to 64 bytes in base64. One is made where it is left out."""


class _Hook:
    parameters: Final = HookParameters

    def __init__(self, *, sender: HookSender, clock: Callable[[], float]) -> None:
        self._sender = sender
        self._clock = clock

    async def _post(self, message_id: str, context: EventContext, parameters: HookParameters) -> bytes:
        if parameters.secret is None:
            raise PluginError("the row has no secret to sign with")
        message = HookMessage(id=message_id, type=context.event_id, at=self._clock(), data=dump_context(context))
        return await self._sender.post(parameters.url, parameters.secret.get_secret_value(), message)

    def preview(self, _context: EventContext, parameters: HookParameters) -> str:
        """Say where the context would be sent, without the path and query, which may hold a key."""
        return f"post the context to {urlsplit(parameters.url).hostname}"


class SignedWebhook(_Hook):
    """Tells a receiver of the event; what it answers changes nothing."""

    id: Final = "signed-webhook"
    description: Final = "Tell another system of the event by a signed webhook."

    async def run(self, context: EventContext, parameters: HookParameters) -> EventContext:
        """Send the context once; raises HookFailedError when it is not taken.

        An event that the client repeats has the same message id, by which the receiver can tell.
        """
        parts = (context.event_id, context.call_id or new_id(), context.user_id or "")
        await self._post(".".join(filter(None, parts)), context, parameters)
        return context


class HttpsHook(_Hook):
    """Has another system change the context."""

    id: Final = "https-hook"
    description: Final = "Ask another system: it gets the context, signed, and answers with the keys that change."

    async def run(self, context: EventContext, parameters: HookParameters) -> EventContext:
        """Take over the keys that the answer holds; an empty answer changes nothing.

        Raises HookFailedError, and PluginError for an answer that is no context.
        """
        answer = await self._post(new_id(), context, parameters)
        return _read_answer(context, answer) if answer.strip() else context


def _read_answer(context: EventContext, answer: bytes) -> EventContext:
    try:
        changes: Any = orjson.loads(answer)
        if not isinstance(changes, dict):
            raise PluginError("the answer is no JSON object with keys of the context")
        return EventContext.model_validate({**dump_context(context), **changes})
    except orjson.JSONDecodeError as error:
        raise PluginError("the answer is no JSON") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        problem = first["msg"].removeprefix("Value error, ")
        raise PluginError(f"the answer is no context: {join_pointer(*first['loc'])} {problem}") from error
