"""The Web API itself: token, user and options are checked here, then the request goes to who answers it."""

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.emulators.dataverse.access import find_user
from app.emulators.dataverse.answers import answer_json, answer_refusal, stamp
from app.emulators.dataverse.batches import BATCH, BatchedRequest, answer_batch, read_batch
from app.emulators.dataverse.clock import Clock
from app.emulators.dataverse.errors import TOO_MANY_AT_ONCE, WireError, bad_payload, method_not_allowed, not_emulated
from app.emulators.dataverse.functions import Functions
from app.emulators.dataverse.linking import Linker
from app.emulators.dataverse.merging import Merger
from app.emulators.dataverse.metadata import Catalogue
from app.emulators.dataverse.multiple import ACTIONS, MultipleWriter
from app.emulators.dataverse.options import Preferences, read_options, read_preferences
from app.emulators.dataverse.organisation import ORGANISATION_ID
from app.emulators.dataverse.reading import Reader
from app.emulators.dataverse.requests import ApiRequest, read_path, require_short
from app.emulators.dataverse.tables import Row, Tables
from app.emulators.dataverse.tokens import TokenIssuer
from app.emulators.dataverse.traffic import API_ROOT, find_status
from app.emulators.dataverse.writing import Writer
from app.emulators.faults import Faults

_IMPERSONATION = ("callerobjectid", "mscrmcallerid")
_ALLOWANCE = 6000
_OTHER_ROOTS = re.compile(r"^(?:https?://[^/]+)?/api/data/v9\.[0-2]/")
"""Before the path of a request in a batch, where it is not the root the batch itself came to."""


class WebApi:
    """Answers everything below the service root."""

    def __init__(
        self,
        *,
        tables: Tables,
        issuer: TokenIssuer,
        static_tokens: Mapping[str, str],
        most_at_once: int,
        clock: Clock,
        affinity: str,
        faults: Faults,
    ) -> None:
        self._faults = faults
        self._tables = tables
        self._issuer = issuer
        self._static_tokens = static_tokens
        self._most_at_once = most_at_once
        self._affinity = affinity
        self._answered = 0
        self._reader = Reader(tables=tables, clock=clock)
        self._writer = Writer(tables=tables, clock=clock)
        self._multiple = MultipleWriter(tables=tables, writer=self._writer)
        self._merger = Merger(tables=tables, clock=clock, writer=self._writer)
        self._linker = Linker(tables=tables, reader=self._reader)
        self._catalogue = Catalogue(tables=tables)
        self._functions = Functions(tables=tables, organisation_id=ORGANISATION_ID)

    async def answer(self, request: Request, *, in_flight: int) -> Response:
        """Answer one request; a refusal is an answer too."""
        prefer = Preferences()
        try:
            user = self._authorise(request, in_flight)
            prefer = read_preferences(",".join(request.headers.getlist("prefer")))
            if request.path_params.get("path") == BATCH and request.method == "POST":
                response = self._answer_parts(
                    await read_batch(request),
                    user,
                    _base(request),
                    goes_on="odata.continue-on-error" in request.headers.get("prefer", ""),
                )
            else:
                response = self._dispatch(await self._understand(request, user, prefer))
        except WireError as refusal:
            response = answer_refusal(refusal)
        self._answered += 1
        return stamp(
            response,
            affinity=self._affinity,
            secure=request.url.scheme == "https",
            applied=prefer.applied if response.status_code < 400 else "",  # noqa: PLR2004 - HTTP status
            remaining=max(_ALLOWANCE - self._answered % _ALLOWANCE, 1),
        )

    def _authorise(self, request: Request, in_flight: int) -> Row:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        client_id = self._static_tokens.get(token) or self._issuer.identify(token)
        if scheme.lower() != "bearer" or client_id is None:
            raise WireError(401, "", "", headers={"WWW-Authenticate": self._challenge(request)})
        if in_flight > self._most_at_once:
            message = f"Number of concurrent requests exceeded the limit of {self._most_at_once}."
            raise WireError(429, TOO_MANY_AT_ONCE, message, headers={"Retry-After": "2"})
        return find_user(self._tables, client_id)

    def _challenge(self, request: Request) -> str:
        base = _base(request)
        return f"Bearer authorization_uri={base}/{self._issuer.tenant_id}/oauth2/authorize, resource_id={base}/"

    async def _understand(self, request: Request, user: Row, prefer: Preferences) -> ApiRequest:
        raw_query = request.scope["query_string"].decode("latin-1")
        require_short(str(request.url))
        if any(name in request.headers for name in _IMPERSONATION):
            raise not_emulated("Impersonation")
        return ApiRequest(
            method=request.method,
            root=f"{_base(request)}{API_ROOT}",
            path=read_path(request.path_params.get("path", "")),
            raw_path=request.path_params.get("path", ""),
            raw_query=raw_query,
            options=read_options(raw_query),
            headers=dict(request.headers),
            prefer=prefer,
            body=await _read_body(request),
            user=user,
        )

    def _answer_parts(self, parts: Sequence[BatchedRequest], user: Row, base: str, *, goes_on: bool) -> Response:
        """Answer the requests of a batch one after the other, up to the first error or (`goes_on`) all of them."""
        answers: list[Response] = []
        for part in parts:
            answers.append(self._answer_part(part, user, f"{base}{API_ROOT}"))
            if answers[-1].status_code >= HTTPStatus.BAD_REQUEST and not goes_on:
                break
        return answer_batch(answers)

    def _answer_part(self, part: BatchedRequest, user: Row, root: str) -> Response:
        path, _, raw_query = _OTHER_ROOTS.sub("", part.url.removeprefix(root)).strip("/").partition("?")
        if (failure := find_status(self._faults, f"{API_ROOT}/{path}", raw_query)) is not None:
            return failure
        try:
            require_short(part.url)
            return self._dispatch(
                ApiRequest(
                    method=part.method,
                    root=root,
                    path=read_path(unquote(path)),
                    raw_path=path,
                    raw_query=raw_query,
                    options=read_options(raw_query),
                    headers=part.headers,
                    prefer=read_preferences(part.headers.get("prefer", "")),
                    body=part.body,
                    user=user,
                )
            )
        except WireError as refusal:
            return answer_refusal(refusal)

    def _dispatch(self, request: ApiRequest) -> Response:  # noqa: PLR0911 - one for each kind of request
        if request.path[0].name.startswith("$"):
            raise not_emulated(request.path[0].name)
        match request.method, request.path[-1].name:
            case "GET", _:
                return self._read(request)
            case "POST", "Merge" if len(request.path) == 1:
                return self._merger.merge(request)
            case "POST", action if action in ACTIONS:
                return self._multiple.write(request)
            case _, action if _is_operation(action):
                raise not_emulated(action)
            case "PUT", _:
                return self._writer.put_part(request)
            case "DELETE", _ if self._writer.finds_part(request):
                return self._writer.clear_part(request)
            case "POST", "$ref":
                return self._linker.associate(request)
            case "DELETE", "$ref":
                return self._linker.disassociate(request)
            case _:
                return self._write(request)

    def _write(self, request: ApiRequest) -> Response:
        writes: Mapping[str, Callable[[ApiRequest], Response]] = {
            "POST": self._writer.create,
            "PATCH": self._writer.update,
            "DELETE": self._writer.delete,
        }
        if request.method not in writes:
            raise method_not_allowed(request.method)
        return writes[request.method](request)

    def _read(self, request: ApiRequest) -> Response:
        if request.path[0].name == "EntityDefinitions":
            return self._catalogue.read(request)
        function = self._functions.find(request)
        if function is not None:
            return self._functions.call(request, function)
        if _is_operation(request.path[-1].name):
            raise not_emulated(request.path[-1].name)
        match request.path[0].name:
            case "":
                return self._describe_service(request)
            case _:
                return self._reader.read(request)

    def _describe_service(self, request: ApiRequest) -> Response:
        sets = [{"name": name, "kind": "EntitySet", "url": name} for name in sorted(self._tables.schema)]
        return answer_json({"@odata.context": f"{request.root}/$metadata", "value": sets})


def _is_operation(name: str) -> bool:
    """Tell a function, an action or a part of the metadata, which begin with a capital, from a table."""
    return name[:1].isupper()


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


async def _read_body(request: Request) -> Any:
    if request.method not in {"POST", "PATCH", "PUT"} or not (content := await request.body()):
        return None
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise WireError(415, "0x0", "The content type of the request must be application/json.")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as exc:
        raise bad_payload("An error occurred while validating input parameters: the body is not JSON.") from exc
