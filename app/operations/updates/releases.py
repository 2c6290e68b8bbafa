"""Which releases are known, and which solution of Voice for Dynamics 365 is installed in each environment."""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from app.dataverse.client import DataverseClient, read_rows, read_text
from app.dataverse.errors import AccessDeniedError, DataverseError, TimedOutError, UnreadableAnswerError
from app.dataverse.queries import build_path, quote_text
from app.errors import InvalidInputError, NotFoundError
from app.settings.base import PREFIX, ServiceUrl
from app.validation_messages import explain_problem

__all__ = [
    "InstalledSolution",
    "Release",
    "SolutionReader",
    "SolutionState",
    "VersionText",
    "find_newest",
    "read_releases",
    "split_version",
]

_MAX_FILE_BYTES: Final = 1024 * 1024
_REMEMBERED_SECONDS: Final = 300.0
_READ_SECONDS: Final = 9.0
_COLUMNS: Final = "uniquename,friendlyname,version,installedon"
_NAME: Final = "Voice for Dynamics 365"
"""How Enreach calls the product (administrator guide); the unique name of its solution is not published."""
_SET_NAME: Final = f"set {PREFIX}UPDATES__SOLUTION to the name under Solutions in Power Apps, and restart"
_NO_PRIVILEGE: Final = (
    "make the app registration an application user there, with a role that has Read on Solution (prvReadSolution) at "
    "organisation level"
)

_VERSION: Final = r"^[0-9]{1,9}(\.[0-9]{1,9}){1,3}$"
VersionText = Annotated[str, StringConstraints(pattern=_VERSION)]
"""Two to four numbers with points between, as solutions have them."""


class Release(BaseModel):
    """A release of Voice for Dynamics 365 or of this service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    product: Literal["voice-for-dynamics-365", "smart-routing"]
    version: VersionText
    released_on: date | None = None
    notes: tuple[Annotated[str, StringConstraints(min_length=1, max_length=1000)], ...] = Field(
        default=(), max_length=100, description="What to know before the update, one sentence or two each."
    )
    url: ServiceUrl | None = Field(default=None, description="Where its release notes stand.")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    releases: tuple[Release, ...] = Field(max_length=1000)


def split_version(version: str) -> tuple[int, ...]:
    """Return the numbers of a version to compare it by: `2.1` is `2.1.0.0`."""
    numbers = tuple(map(int, version.split(".")))
    return numbers + (0,) * (4 - len(numbers))


def read_releases(file: Path | None) -> tuple[Release, ...]:
    """Read the releases that ship with this version and those of the operator's file, newest first.

    Where both know a release, the file's words count. Raises InvalidInputError when the file cannot be used.
    """
    shipped = _File.model_validate_json(files(__package__).joinpath("known_releases.json").read_bytes())
    known = {(each.product, split_version(each.version)): each for each in shipped.releases}
    if file is not None:
        known |= {(each.product, split_version(each.version)): each for each in _read_file(file)}
    return tuple(release for _, release in sorted(known.items(), reverse=True, key=lambda entry: entry[0]))


def _read_file(file: Path) -> Sequence[Release]:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise InvalidInputError(f"{file.name}: larger than 1 MiB")
        return _File.model_validate_json(content).releases
    except OSError as error:
        raise InvalidInputError(f"{file.name}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = "/".join(map(str, first["loc"]))
        raise InvalidInputError(f"{file.name}: /{place} {explain_problem(first)}") from error


def find_newest(releases: Iterable[Release]) -> Release | None:
    """Return the newest release of Voice for Dynamics 365 that is known."""
    voice = [each for each in releases if each.product == "voice-for-dynamics-365"]
    return max(voice, key=lambda each: split_version(each.version), default=None)


class SolutionState(StrEnum):
    """What was found in an environment."""

    INSTALLED = "installed"
    ABSENT = "absent"
    UNKNOWN = "unknown"
    """It could not be found out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledSolution:
    """What is known of one environment."""

    environment: str
    state: SolutionState
    reason: str
    remedy: str = ""
    unique_name: str | None = None
    version: str | None = None
    installed_on: datetime | None = None
    looked_at: float
    """Seconds since the epoch."""


class SolutionReader:
    """Reads the version of Voice's solution in each environment, and remembers it for five minutes."""

    def __init__(
        self, *, clients: Mapping[str, DataverseClient], solution: str | None, clock: Callable[[], float]
    ) -> None:
        """`clients` lead to each environment by its name and leave calls their requests; `solution` is a unique name.

        `clock` gives seconds since the epoch.
        """
        self._clients = clients
        self._solution = solution
        self._clock = clock
        self._known: dict[str, InstalledSolution] = {}
        self._locks = {name: asyncio.Lock() for name in clients}

    def require(self, environment: str) -> None:
        """Raise NotFoundError when the settings name no such environment."""
        if environment not in self._clients:
            raise NotFoundError(
                f"there is no environment {environment!r}; there are {', '.join(self._clients)}, as "
                f"{PREFIX}UPDATES__ENVIRONMENT and __OTHER_ENVIRONMENTS name them"
            )

    async def read_all(self) -> Sequence[InstalledSolution]:
        """Return what is known of every environment, all asked at once."""
        return await asyncio.gather(*map(self.read, self._clients))

    async def read(self, environment: str, *, anew: bool = False) -> InstalledSolution:
        """Return what is known of one environment, read `anew` or at most five minutes old; raises NotFoundError."""
        self.require(environment)
        asked_at = self._clock()
        async with self._locks[environment]:
            known = self._known.get(environment)
            oldest = asked_at if anew else asked_at - _REMEMBERED_SECONDS
            if known is None or known.looked_at <= oldest:
                known = self._known[environment] = await self._ask(environment)
        return known

    async def _ask(self, environment: str) -> InstalledSolution:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                answer = await self._clients[environment].get_json(self._make_path())
            return self._judge(environment, read_rows(answer))
        except TimeoutError:
            return self._give_up(environment, TimedOutError(f"Dataverse did not answer within {_READ_SECONDS:g} s"))
        except DataverseError as error:
            return self._give_up(environment, error)

    def _make_path(self) -> str:
        named = f"uniquename eq {quote_text(self._solution)}" if self._solution else None
        shown = f"isvisible eq true and contains(friendlyname,{quote_text(_NAME)})"
        return build_path("solutions", {"$select": _COLUMNS, "$filter": named or shown, "$top": "20"})

    def _judge(self, environment: str, rows: Sequence[Mapping[str, object]]) -> InstalledSolution:
        if not rows:
            reason = f"there is no solution {self._solution}" if self._solution else f'no solution is called "{_NAME}"'
            remedy = f"install it with the Package Deployer; if it is there, {_SET_NAME}"
            return self._tell(environment, SolutionState.ABSENT, reason, remedy)
        if len(rows) > 1:
            names = ", ".join(sorted(read_text(row, "uniquename") or "?" for row in rows))
            return self._tell(
                environment, SolutionState.UNKNOWN, f'several solutions are called "{_NAME}": {names}', _SET_NAME
            )
        (row,) = rows
        name, version = read_text(row, "uniquename"), read_text(row, "version")
        if version is None or re.fullmatch(_VERSION, version) is None:
            raise UnreadableAnswerError("the solution came without a version")
        told = self._tell(environment, SolutionState.INSTALLED, f"{name} {version} is installed")
        return replace(told, unique_name=name, version=version, installed_on=_read_instant(row))

    def _give_up(self, environment: str, error: DataverseError) -> InstalledSolution:
        elsewhere = f"see that {environment} is reached, and that the application user exists there"
        remedy = _NO_PRIVILEGE if isinstance(error, AccessDeniedError) else elsewhere
        return self._tell(environment, SolutionState.UNKNOWN, error.detail, remedy)

    def _tell(self, environment: str, state: SolutionState, reason: str, remedy: str = "") -> InstalledSolution:
        return InstalledSolution(
            environment=environment, state=state, reason=reason, remedy=remedy, looked_at=self._clock()
        )


def _read_instant(row: Mapping[str, object]) -> datetime | None:
    try:
        return datetime.fromisoformat(read_text(row, "installedon") or "")
    except ValueError:
        return None
