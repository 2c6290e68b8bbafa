"""Runs a contract test against this deployment's own public URL, as a job."""

from collections.abc import Callable

import httpx

from app.errors import ConflictError
from app.operations.golive.contract_test import ContractTest, describe_results, list_shapes
from app.operations.golive.handoff import Handoff, Handoffs
from app.operations.jobs import JobRunner, Progress
from app.operations.store import Job
from app.settings import Settings
from app.settings.base import require_https
from app.store.audit import AuditStore

__all__ = ["ContractTests"]


class ContractTests:
    """Starts contract tests; each asks the way the queue does, through proxies and firewalls."""

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        jobs: JobRunner,
        audit: AuditStore,
        handoffs: Handoffs,
        read_settings: Callable[[], Settings],
        clock: Callable[[], float],
    ) -> None:
        self._http = http
        self._jobs = jobs
        self._audit = audit
        self._handoffs = handoffs
        self._read_settings = read_settings
        self._clock = clock

    async def start(self, *, who: str) -> Job:
        """Begin one; raises ConflictError while there is no public URL to test, and StoreError.

        An audit record says first where a key of the webhook is sent.
        """
        handoff = (await self._handoffs.read()).value
        url, shapes = _require_url(handoff), list_shapes([queue.target_id for queue in handoff.queues])
        settings = self._read_settings()
        test = ContractTest(
            http=self._http,
            url=url,
            credential=_choose_credential(settings),
            deadline=settings.webhook.deadline_ms / 1000,
            clock=self._clock,
        )

        async def work(progress: Progress) -> object:
            results = []
            for done, shape in enumerate(shapes, start=1):
                results.append(await test.play(shape))
                if not await progress.report(done):
                    break
            return describe_results(url, results)

        await self._audit.add(
            at=self._clock(), who=who, what="contract_test.started", target="webhook-key", after={"url": url}
        )
        return await self._jobs.start("contract-test", work, author=who, total=len(shapes))


def _require_url(handoff: Handoff) -> str:
    """Return the public URL; the key goes nowhere in plain text but to this machine."""
    if handoff.public_url is None:
        raise ConflictError("there is no public URL to test: set public_url with PUT /admin/handoff")
    try:
        return require_https(handoff.public_url)
    except ValueError as error:
        raise ConflictError("the key would travel in plain text: set public_url to an https URL") from error


def _choose_credential(settings: Settings) -> tuple[str | None, str]:
    """Choose the first credential that stays; the settings demand that there is one."""
    webhook = settings.webhook
    known = [
        *((None, label, secret) for label, secret in webhook.api_keys.items()),
        *((user, user, secret) for user, secret in webhook.basic_users.items()),
    ]
    user, _, secret = next((each for each in known if each[1] not in webhook.retiring), known[0])
    return user, secret.get_secret_value()
