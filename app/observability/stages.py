"""How the time of one look-up is spent, noted where it is spent, for the waterfall of the calls that wait for it."""

from collections.abc import Callable, Mapping
from contextvars import Context, ContextVar, copy_context

__all__ = ["Stage", "Stages", "read_stages"]


class Stages:
    """Adds up, by stage, the time in which at least one piece of work was in it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds of a clock that never goes back."""
        self._monotonic = monotonic
        self._spent: dict[str, float] = {}
        self._entered: dict[str, float] = {}
        self._inside: dict[str, int] = {}

    def make_context(self) -> Context:
        """Copy the current context for a task whose stages are noted here."""
        context = copy_context()
        context.run(_current.set, self)
        return context

    def read(self) -> Mapping[str, float]:
        """Return the seconds by stage, in the order in which they began; one under way counts until now."""
        now = self._monotonic()
        return {
            name: spent + (now - self._entered[name] if self._inside[name] else 0.0)
            for name, spent in self._spent.items()
        }

    def enter(self, name: str) -> None:
        """Note that a piece of work begins a stage."""
        inside = self._inside[name] = self._inside.get(name, 0) + 1
        self._spent.setdefault(name, 0.0)
        if inside == 1:
            self._entered[name] = self._monotonic()

    def leave(self, name: str) -> None:
        """Note that a piece of work ends a stage."""
        self._inside[name] -= 1
        if not self._inside[name]:
            self._spent[name] += self._monotonic() - self._entered[name]


_current: ContextVar[Stages | None] = ContextVar("smartrouting_stages", default=None)


class Stage:
    """The block it surrounds is a stage of the look-up under way, if there is one."""

    __slots__ = ("_name", "_stages")

    def __init__(self, name: str) -> None:
        self._name = name
        self._stages = _current.get()

    def __enter__(self) -> None:
        if self._stages is not None:
            self._stages.enter(self._name)

    def __exit__(self, *_: object) -> None:
        if self._stages is not None:
            self._stages.leave(self._name)


def read_stages(context: Context) -> Mapping[str, float]:
    """Return the seconds by stage of the work with these context variables, none when nobody listens."""
    stages = context.get(_current)
    return {} if stages is None else stages.read()
