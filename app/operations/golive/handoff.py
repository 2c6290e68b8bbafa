"""What Enreach is told so that its queues ask this service (administrator guide, "Smart Routing Scenarios")."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from app.errors import ConflictError, NotFoundError
from app.settings import Settings
from app.store.number_erasure import Replace, replace_in
from app.store.settings_documents import SettingsDocumentStore, Versioned, VersionedDocument

__all__ = ["QUESTIONS", "Contact", "Handoff", "HandoffQueue", "Handoffs", "ShownKey", "replace_in_handoff"]

QUESTIONS: Final = (
    (
        "Which keys does the answer know besides InitialTarget and FailTarget: for messages, a required agent, "
        "preferred agents, priority and extra priority? Of which type is each, and which values does it take?"
    ),
    "How is a target spelled: a queue by id or number, a user by id or e-mail, an outside number?",
    "Which status means no instructions: 204, or 404?",
    (
        "What happens to the call on a timeout, on another 4xx or 5xx, on an answer that is not JSON, and on a target "
        "that does not exist? Is the request repeated?"
    ),
    "How long does the queue wait, and can that be set?",
    "How does anum look when the caller withholds the number?",
    "Which keys has the extended set of extradata, and is it sent for our queues?",
    "Do requests come from 80.88.186.0/24 and 80.88.187.0/24 only?",
)
"""What the contract leaves open (Enreach contract, section 6)."""

_NAME: Final = "handoff"
_REPLACE: Final = replace_in("document")
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HandoffQueue(_Part):
    """A queue that is to ask this service."""

    name: _Text = Field(description="As people call it.", examples=["Sales"])
    target_id: _Text = Field(description="The `targetid` that Enreach sets for it.", examples=["SALES_QUEUE"])
    queue_id: _Text | None = Field(default=None, description="Its id in Enreach, where known.")


class Contact(_Part):
    """Somebody to ask."""

    name: _Text
    role: _Text | None = Field(default=None, examples=["integrator"])
    email: _Text | None = None
    phone: _Text | None = None


class Handoff(_Part):
    """What is agreed with Enreach."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "public_url": "https://voice.example.com/smartrouting",
                    "queues": [{"name": "Sales", "target_id": "SALES_QUEUE"}],
                    "contacts": [{"name": "Aino Integrator", "email": "aino@partner.example"}],
                    "test_numbers": ["+447700900123"],
                    "agreed_date": "2030-01-15",
                }
            ]
        }
    )

    public_url: _Text | None = Field(
        default=None,
        description="Where the queues post: https, on port 443.",
        examples=["https://voice.example.com/smartrouting"],
    )
    queues: tuple[HandoffQueue, ...] = Field(default=(), max_length=200)
    contacts: tuple[Contact, ...] = Field(default=(), max_length=20)
    test_numbers: tuple[_Text, ...] = Field(
        default=(), max_length=20, description="Numbers that test calls are made from."
    )
    agreed_date: date | None = Field(default=None, description="When Enreach sets the queues up.")
    confirmed_response_keys: tuple[_Text, ...] = Field(
        default=(), max_length=20, description="Keys of the answer that Enreach has confirmed.", examples=[[]]
    )

    @field_validator("public_url")
    @classmethod
    def _require_address(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            host = parts.hostname if parts.port != 0 else None
            if parts.scheme not in {"http", "https"} or not host or parts.username or parts.fragment:
                raise ValueError("must be a URL like https://voice.example.com/smartrouting, without credentials")
        return url

    def list_missing(self) -> Iterator[str]:
        """List the members that a set-up of queues needs and that are blank."""
        for name in ("public_url", "queues", "contacts", "test_numbers", "agreed_date"):
            if not getattr(self, name):
                yield name


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key, at the only moment it is shown."""

    label: str
    key: str


def replace_in_handoff(row: Mapping[Any, Any], replace: Replace) -> Mapping[str, Any]:
    """Change a version of settings that is one of the hand-off: its numbers belong to persons."""
    return _REPLACE(row, replace) if row["name"] == _NAME else {}


class _ShownLabels(BaseModel):
    """The labels of keys that were shown."""

    labels: tuple[str, ...] = ()


class Handoffs:
    """Keeps the hand-off with its versions, and shows each of the webhook's keys once. Raises StoreError."""

    def __init__(self, *, documents: SettingsDocumentStore, settings: Settings, clock: Callable[[], float]) -> None:
        self._document = VersionedDocument(
            store=documents, name=_NAME, model=Handoff, what="handoff.changed", target="handoff"
        )
        self._shown = VersionedDocument(
            store=documents, name="handoff-keys", model=_ShownLabels, what="handoff.key_shown", target="handoff/key"
        )
        self._settings = settings
        self._clock = clock

    async def read(self) -> Versioned[Handoff]:
        """Return what is agreed."""
        return await self._document.read()

    async def write(self, handoff: Handoff, *, version: str | None, who: str) -> Versioned[Handoff]:
        """Set it from that version, or from any; raises PreconditionFailedError when somebody was faster."""
        expected = (await self._document.read()).version if version is None else version
        return await self._document.write(handoff, version=expected, author=who, now=self._clock())

    async def show_key(self, label: str, *, who: str) -> ShownKey:
        """Show a key of the webhook, which leaves an audit record.

        Raises NotFoundError for an unknown label, ConflictError for a key that was shown before, and
        PreconditionFailedError when somebody else was shown one at the same moment.
        """
        key = self._settings.webhook.api_keys.get(label)
        if key is None:
            raise NotFoundError("there is no key with this label in SMARTROUTING_WEBHOOK__API_KEYS")
        shown = await self._shown.read()
        if label in shown.value.labels:
            raise ConflictError("this key was shown before, see the audit: set one under another label, and show that")
        labels = _ShownLabels(labels=(*shown.value.labels, label))
        await self._shown.write(labels, version=shown.version, author=who, now=self._clock())
        return ShownKey(label, key.get_secret_value())
