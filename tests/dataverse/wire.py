"""Clients whose wire is a function."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from app.dataverse.client import DataverseClient
from app.dataverse.connection import connect
from app.settings import DataverseSettings

ORG = "https://contoso.crm4.dynamics.com"


@dataclass
class HandedTokens:
    """Hands out tokens from a list; each renewal moves on, and the last one stays."""

    tokens: list[str] = field(default_factory=lambda: ["token-1"])
    renewals: int = 0

    async def get(self) -> str:
        return self.tokens[0]

    async def renew(self, rejected: str) -> str:
        self.renewals += 1
        if self.tokens[0] == rejected and len(self.tokens) > 1:
            self.tokens.pop(0)
        return self.tokens[0]


@dataclass
class Wire:
    """Answers requests with `answer` and keeps them."""

    answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(200, json={"value": []})
    requests: list[httpx.Request] = field(default_factory=list)
    tokens: HandedTokens = field(default_factory=HandedTokens)

    def open(self, **settings: object) -> DataverseClient:
        return connect(read_organisation(**settings), tokens=self.tokens, transport=httpx.MockTransport(self._keep))

    def _keep(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)


def read_organisation(**settings: object) -> DataverseSettings:
    return DataverseSettings.model_validate({"url": ORG, "auth": "token", "token": "a-fake-token", **settings})
