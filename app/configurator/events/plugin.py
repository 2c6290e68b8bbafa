"""What a plugin is, and which ones are installed: the built-in ones and those of other packages.

A package offers its plugins in the entry point group `smartrouting.plugins`: a name, and a class or function that
makes the plugin when it is called without arguments. `examples/` holds a complete one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Protocol, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict, SecretStr

from app.configurator.events.context import EventContext
from app.errors import Finding, InvalidInputError
from app.routing.documents import read_document
from app.routing.registry import suggest

__all__ = [
    "GROUP",
    "InstalledPlugin",
    "NoParameters",
    "Parameters",
    "Plugin",
    "PluginError",
    "Plugins",
    "list_secrets",
    "load_plugins",
    "read_parameters",
]

log = structlog.get_logger()

GROUP: Final = "smartrouting.plugins"

P_contra = TypeVar("P_contra", bound=BaseModel, contravariant=True)


class PluginError(Exception):
    """A plugin could not do its work. The message is shown and recorded, so it holds nothing personal."""


class Parameters(BaseModel):
    """A base for the parameters of a plugin: closed to names it does not know, so that typing errors are told."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)


class NoParameters(Parameters):
    """There is nothing to set."""


class Plugin(Protocol[P_contra]):
    """Does something when an event happens.

    One instance serves all events at once. A plugin of another package runs in a thread of its own, so that blocking
    code holds up nobody but its own row.
    """

    @property
    def id(self) -> str:
        """What rows call it, e.g. `vip-check`."""

    @property
    def description(self) -> str:
        """One sentence for administrators."""

    @property
    def parameters(self) -> type[BaseModel]:
        """What a row may set; a field of type SecretStr is never shown."""

    async def run(self, context: EventContext, parameters: P_contra) -> EventContext:
        """Return the context, changed or as it is; raises PluginError for what administrators should read.

        `customer`, `customer_search_results` and the plugin's own entry of `results` may be changed, and before a
        session is made its parameters and template in `event_data`.
        """

    def preview(self, context: EventContext, parameters: P_contra) -> str | None:
        """Say what `run` would do to other systems; `None` when it only reads, so that the test bench may run it."""


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """A plugin and where it comes from."""

    plugin: Plugin[Any]
    built_in: bool
    apart: bool = False
    """Whether it is code of another package."""


class Plugins:
    """The installed plugins by id."""

    def __init__(self, installed: Iterable[InstalledPlugin], broken: Mapping[str, str]) -> None:
        """`broken` are entry points that gave no plugin, with the reason."""
        self._installed = {each.plugin.id: each for each in installed}
        self.broken = dict(broken)

    def list_all(self) -> list[InstalledPlugin]:
        """List them, built-in ones first."""
        return list(self._installed.values())

    def find(self, plugin_id: str) -> InstalledPlugin | None:
        """Find one."""
        return self._installed.get(plugin_id)

    def require(self, plugin_id: str) -> InstalledPlugin:
        """Find one; raises InvalidInputError with a suggestion."""
        found = self._installed.get(plugin_id)
        if found is None:
            hint = suggest(plugin_id, self._installed) or f"installed are {', '.join(self._installed)}"
            message = "no such plugin is installed"
            problem = Finding(code="unknown-plugin", pointer="/plugin", message=message, hint=hint)
            raise InvalidInputError("there is no such plugin", findings=[problem])
        return found


def load_plugins(ours: Iterable[InstalledPlugin], offered: Iterable[EntryPoint] | None = None) -> Plugins:
    """Load the plugins of other packages; one that cannot be loaded is logged, and keeps no other from working."""
    installed = {each.plugin.id: each for each in ours}
    broken: dict[str, str] = {}
    for entry in entry_points(group=GROUP) if offered is None else offered:
        try:
            plugin: Plugin[Any] = entry.load()()
            names = (plugin.id, plugin.description, plugin.parameters.model_json_schema())
        except Exception as error:  # noqa: BLE001 - code of others may fail in any way
            broken[entry.name] = f"{type(error).__name__} while it was loaded"
            log.error("plugin.not_loaded", plugin=entry.name, error=type(error).__name__)  # noqa: TRY400 - see above
            continue
        if names[0] in installed:
            broken[entry.name] = f"the id {names[0]} is taken"
            continue
        installed[plugin.id] = InstalledPlugin(plugin, built_in=False, apart=True)
    return Plugins(installed.values(), broken)


def read_parameters(plugin: Plugin[Any], document: Mapping[str, object]) -> BaseModel:
    """Read what a row sets; raises InvalidInputError naming the places below `/parameters`."""
    try:
        return read_document(plugin.parameters, dict(document), list(plugin.parameters.model_fields))
    except InvalidInputError as error:
        findings = [replace(finding, pointer=f"/parameters{finding.pointer}") for finding in error.findings]
        raise InvalidInputError(f"the parameters do not suit {plugin.id}", findings=findings) from error


def list_secrets(plugin: Plugin[Any]) -> frozenset[str]:
    """List the parameters that are never shown."""
    fields = plugin.parameters.model_fields.items()
    return frozenset(name for name, field in fields if SecretStr.__name__ in str(field.annotation))
