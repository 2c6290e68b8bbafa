"""Renewing a secret: a checklist whose steps are done when there is proof of them, and not before."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr

from app.errors import ConflictError, Finding, InvalidInputError, NotFoundError
from app.graph import GraphError
from app.operations.registrations.reader import OwnCredential, RegistrationReader
from app.operations.registrations.registration import (
    KnownCredential,
    KnownRegistration,
    Noted,
    Renewal,
    TokenProof,
)
from app.operations.registrations.registrations import AppRegistrations

__all__ = ["RenewalStep", "Renewals", "TrySecret", "find_new", "list_steps"]

_NOT_THERE: Final = "Enreach's back end does not sign in with it"
TrySecret = Callable[[str, SecretStr], Awaitable[None]]
"""Obtains a token for an application (client) id with a secret, and forgets it; raises AppError where it gets none."""


class RenewalStep(BaseModel):
    """One step, and its proof or what is to be done."""

    id: Literal["created", "sent", "back-end-updated", "token", "old-removed"]
    environment: str | None = Field(default=None, description="Of Enreach's back end, for `back-end-updated`.")
    state: Literal["done", "open", "not-needed"]
    detail: str = Field(description="The proof, or what is to be done.")
    who: str | None = Field(default=None, description="Who noted it.")


class Renewals:
    """Begins renewals, and takes the proofs that cannot be seen in the list of credentials."""

    def __init__(
        self,
        *,
        registrations: AppRegistrations,
        reader: RegistrationReader,
        own: OwnCredential | None,
        try_secret: TrySecret,
        clock: Callable[[], float],
    ) -> None:
        """`own` is what this service signs in with; `clock` gives seconds since the epoch."""
        self._registrations = registrations
        self._reader = reader
        self._own = own
        self._try_secret = try_secret
        self._clock = clock

    async def get(self, name: str) -> tuple[KnownRegistration, Renewal, str]:
        """Return a renewal and its version; raises NotFoundError where none was begun."""
        known, version = await self._registrations.get(name)
        if known.renewal is None:
            raise NotFoundError("no renewal was begun; PUT this path with the label that it replaces")
        return known, known.renewal, version

    async def begin(
        self, name: str, replaces: str, environments: Sequence[str], *, version: str | None, who: str
    ) -> None:
        """Begin one; raises InvalidInputError for an unknown label, and ConflictError while another is open."""
        known, _ = await self._registrations.get(name)
        old = next((each for each in known.credentials if each.label == replaces), None)
        if old is None:
            labels = ", ".join(each.label for each in known.credentials) or "none"
            raise _refuse("/replaces", f"is none of the credentials that are known: {labels}")
        usual = [known.entered.environment] if known.entered.environment else []
        chosen = list(environments) or (usual if known.entered.used_by == "enreach-back-end" else [])
        if not chosen and known.entered.used_by == "enreach-back-end":
            raise _refuse("/environments", "must name those in which Enreach's back end signs in with it")
        present = known.renewal
        if present is not None and any(step.state == "open" for step in list_steps(known, present)):
            raise ConflictError(f'the renewal of "{present.replaces}" is open: finish it, or DELETE it first')
        renewal = Renewal(
            replaces=replaces, expires_at=old.expires_at, environments=tuple(chosen), begun=self._note(None, who)
        )
        await self._registrations.put_renewal(name, renewal, version=version, who=who)

    async def note_sent(self, name: str, on: date | None, *, who: str) -> None:
        """Note that the new secret was sent to Enreach; raises ConflictError and InvalidInputError."""
        known, renewal, version = await self.get(name)
        if not renewal.environments:
            raise ConflictError(f"{_NOT_THERE}: there is nothing to send")
        _require_new(known, renewal)
        await self._put(name, renewal, {"sent": self._note(on, who)}, version, who)

    async def note_updated(self, name: str, environment: str, on: date | None, *, who: str) -> None:
        """Note that Enreach has updated its back end in one environment; raises the same."""
        _, renewal, version = await self.get(name)
        if environment not in renewal.environments:
            raise _refuse("/environment", f"is none of this renewal: {', '.join(renewal.environments) or 'none'}")
        noted = self._note(on, who)
        if renewal.sent is None or noted.on < renewal.sent.on:
            raise ConflictError("the new secret was not sent to Enreach by then: note that first (POST …/sent)")
        await self._put(name, renewal, {"updated": renewal.updated | {environment: noted}}, version, who)

    async def prove_token(self, name: str, secret: SecretStr | None, *, who: str) -> None:
        """Obtain a token with the new secret, or with the one this service signs in with; nothing of it is kept.

        Raises ConflictError when it is another secret or cannot be told, and what obtaining the token raises.
        """
        known, renewal, version = await self.get(name)
        new = _require_new(known, renewal)
        chosen = secret or self._require_own(known)
        await self._try_secret(known.entered.application_id, chosen)
        try:
            found = await self._reader.find_by_hint(known.application_id, chosen)
        except GraphError:
            found = None
        if found is None and secret is None:
            raise ConflictError("which secret this service signs in with cannot be told: send the new one as `secret`")
        if found is not None and found.label != new.label:
            raise ConflictError(f'a token was obtained, but with "{found.label}": the new secret is "{new.label}"')
        proof = TokenProof(label=new.label, at=datetime.fromtimestamp(self._clock(), UTC), who=who)
        await self._put(name, renewal, {"token": proof}, version, who)

    async def abandon(self, name: str, *, version: str, who: str) -> None:
        """Forget a renewal; raises NotFoundError and PreconditionFailedError."""
        await self.get(name)
        await self._registrations.put_renewal(name, None, version=version, who=who)

    def _require_own(self, known: KnownRegistration) -> SecretStr:
        if self._own is None or self._own.application_id.casefold() != known.application_id:
            raise ConflictError("this service does not sign in with it: send the new secret as `secret`")
        return self._own.secret

    def _note(self, on: date | None, who: str) -> Noted:
        today = datetime.fromtimestamp(self._clock(), UTC).date()
        if on is not None and on > today:
            raise _refuse("/on", "lies in the future: note it when it is done")
        return Noted(on=on or today, who=who)

    async def _put(self, name: str, renewal: Renewal, changes: dict[str, object], version: str, who: str) -> None:
        changed = renewal.model_copy(update=changes)
        await self._registrations.put_renewal(name, changed, version=version, who=who)


def find_new(known: KnownRegistration, renewal: Renewal) -> KnownCredential | None:
    """Find the credential that replaces the old one: of those that end after it, the one that ends last."""

    def outlasts(credential: KnownCredential) -> bool:
        ends = (credential.expires_at, renewal.expires_at)
        return ends[0] is None or ends[1] is None or ends[0] > ends[1]

    others = [each for each in known.credentials if each.label != renewal.replaces and outlasts(each)]
    return others[-1] if others else None


def list_steps(known: KnownRegistration, renewal: Renewal) -> list[RenewalStep]:
    """List the steps of a renewal in the order in which they are done."""
    return [
        _describe_new(find_new(known, renewal)),
        _describe_sent(renewal),
        *_describe_updates(renewal),
        _describe_token(renewal, find_new(known, renewal)),
        _describe_removal(known, renewal),
    ]


def _describe_new(new: KnownCredential | None) -> RenewalStep:
    if new is None:
        detail = "make one in Entra ID that ends later, with a description of its own; enter it unless it is read"
        return RenewalStep(id="created", state="open", detail=detail)
    end = f"ends on {new.expires_at.date()}" if new.expires_at else "never ends"
    seen = "seen in Entra ID" if new.source == "graph" else "entered by hand"
    return RenewalStep(id="created", state="done", detail=f'"{new.label}" {end}; {seen}')


def _describe_sent(renewal: Renewal) -> RenewalStep:
    end = renewal.expires_at.date() if renewal.expires_at else None
    if not renewal.environments:
        return RenewalStep(id="sent", state="not-needed", detail=_NOT_THERE)
    if renewal.sent is None:
        before = f" before {end}" if end else ""
        detail = f"send the new secret to Enreach{before}, by a way that is safe for secrets; then POST …/sent"
        return RenewalStep(id="sent", state="open", detail=detail)
    on = renewal.sent.on
    late = f", after the old one had ended on {end}" if end and on > end else ""
    return RenewalStep(id="sent", state="done", detail=f"sent on {on}{late}", who=renewal.sent.who)


def _describe_updates(renewal: Renewal) -> Iterator[RenewalStep]:
    for environment in renewal.environments:
        noted = renewal.updated.get(environment)
        if noted is None:
            detail = "have Enreach update its back end and say so; then POST …/updated"
            yield RenewalStep(id="back-end-updated", environment=environment, state="open", detail=detail)
        else:
            detail = f"updated on {noted.on}"
            yield RenewalStep(
                id="back-end-updated", environment=environment, state="done", detail=detail, who=noted.who
            )
    if not renewal.environments:
        yield RenewalStep(id="back-end-updated", state="not-needed", detail=_NOT_THERE)


def _describe_token(renewal: Renewal, new: KnownCredential | None) -> RenewalStep:
    proof = renewal.token
    if proof is None or new is None or proof.label != new.label:
        return RenewalStep(id="token", state="open", detail="obtain a token with the new secret: POST …/token")
    at = proof.at.isoformat(timespec="seconds")
    return RenewalStep(id="token", state="done", detail=f'obtained with "{proof.label}" at {at}', who=proof.who)


def _describe_removal(known: KnownRegistration, renewal: Renewal) -> RenewalStep:
    old = next((each for each in known.credentials if each.label == renewal.replaces), None)
    if old is None:
        return RenewalStep(id="old-removed", state="done", detail=f'"{renewal.replaces}" is gone')
    where = "in Entra ID" if old.source == "graph" else "in Entra ID, and from what was entered here"
    return RenewalStep(id="old-removed", state="open", detail=f'remove "{renewal.replaces}" {where}, as the last step')


def _require_new(known: KnownRegistration, renewal: Renewal) -> KnownCredential:
    new = find_new(known, renewal)
    if new is None:
        raise ConflictError("no new secret is known yet: make it in Entra ID, then POST …/read, or enter it")
    return new


def _refuse(pointer: str, message: str) -> InvalidInputError:
    finding = Finding(code="invalid-value", pointer=pointer, message=message)
    return InvalidInputError("The renewal is not usable.", findings=[finding])
