"""Draws reports as SVG that is legible in black and white, with the picture in words for screen readers."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from xml.etree.ElementTree import Element

from app.reports.figures import REPORTS
from app.reports.periods import Grain

__all__ = ["draw"]

Series = Mapping[str, Sequence[float | None]]

_FILLS: Final = ("#1a1a1a", "#9c9c9c", "#dddddd", "#5c5c5c", "#bdbdbd", "#333333")
_LINES: Final = ("#000000", "#4d4d4d", "#808080")
_STROKES: Final = ({"width": 3}, {"width": 3, "dasharray": "10,5"}, {"width": 3, "dasharray": "3,3"})
_MAX_LABELS: Final = 12
_MAX_RULES: Final = 5
_LABELS: Final[Mapping[Grain, str]] = {
    Grain.HOUR: "%d %b %H:%M",
    Grain.DAY: "%d %b %Y",
    Grain.WEEK: "%d %b %Y",
    Grain.MONTH: "%b %Y",
}


def _load_library() -> Any:
    """Import the library when a picture is wanted: it takes a third of a second, which no start shall wait."""
    import pygal  # noqa: PLC0415 - see above

    # It hooks into every failing import, by an interface that Python has dropped; it needs that for plugins only.
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]
    return pygal


def draw(report: str, rows: Sequence[Any], grain: Grain, zone: str) -> str:
    """Draw a report, 800 pixels wide."""
    pygal = _load_library()
    lines = report == "latency"
    labels = [period.strftime(_LABELS[grain]) for period in {_at(row): row.period for row in rows}.values()]
    unit = "milliseconds" if lines else "users" if report == "users" else "calls"
    at_most = lines or report == "users"
    title = f"{REPORTS[report].question} By {grain}, {zone}"
    picture = (pygal.Line if lines else pygal.StackedBar)(
        title=title,
        y_title=unit,
        width=800,
        height=420,
        style=pygal.style.Style(
            background="white",
            plot_background="white",
            colors=_LINES if lines else _FILLS,
            opacity="1",
            font_family="sans-serif",
            guide_stroke_color="#cccccc",
            major_guide_stroke_color="#cccccc",
        ),
        legend_at_bottom=True,
        show_dots=False,
        show_minor_x_labels=False,
        x_label_rotation=20,
        js=(),
        disable_xml_declaration=True,
        no_data_text="no calls",
    )
    picture.x_labels = labels
    picture.x_labels_major = labels[:: -(-len(labels) // _MAX_LABELS) or 1]
    series = _SERIES[report](rows)
    for number, (name, values) in enumerate(series.items()):
        picture.add(name, values, stroke_style=_STROKES[number % len(_STROKES)] if lines else None)
    picture.add_xml_filter(partial(_add_words, title=title, words=_tell(series, unit, at_most=at_most)))
    return str(picture.render(is_unicode=True))


def _add_words(svg: Element, title: str, words: str) -> Element:
    """Add what a screen reader says, and take away what only scripts need."""
    for parent in list(svg.iter()):
        for script in parent.findall("script"):
            parent.remove(script)
    svg.attrib |= {"role": "img", "aria-labelledby": "title words"}
    for place, (tag, text) in enumerate((("title", title), ("desc", words))):
        element = Element(tag, id=("title", "words")[place])
        element.text = text
        svg.insert(place, element)
    return svg


def _tell(series: Series, unit: str, *, at_most: bool) -> str:
    parts = []
    for name, values in series.items():
        known = [value for value in values if value is not None]
        parts.append(f"{name} at most {max(known, default=0):g}" if at_most else f"{name} {sum(known):g}")
    return f"In {unit}: {'; '.join(parts) or 'none'}."


def _read_members(**members: str) -> Callable[[Sequence[Any]], Series]:
    """Make series of members of the rows, by their names in the legend."""

    def read(rows: Sequence[Any]) -> Series:
        return {name.replace("_", " "): [getattr(row, member) for row in rows] for name, member in members.items()}

    return read


def _at(row: Any) -> float:
    """Tell periods apart: an hour that is repeated in autumn equals the one before it."""
    time: float = row.period.timestamp()
    return time


def _read_callers(rows: Sequence[Any]) -> Series:
    return {
        "called again": [row.repeated for row in rows],
        "first call in a day": [None if row.repeated is None else row.with_number - row.repeated for row in rows],
    }


def _read_rules(rows: Sequence[Any]) -> Series:
    """Show the rules that decided most calls, and the others together."""
    totals: Counter[str] = Counter()
    cells: Counter[tuple[float, str]] = Counter()
    for row in rows:
        totals[row.rule or "no rule"] += row.calls
        cells[_at(row), row.rule or "no rule"] += row.calls
    periods = list(dict.fromkeys(map(_at, rows)))
    shown = [name for name, _ in totals.most_common(_MAX_RULES)]
    series = {name: [cells[period, name] for period in periods] for name in shown}
    if len(totals) > len(shown):
        all_calls = [sum(count for (at, _), count in cells.items() if at == period) for period in periods]
        series["other rules"] = [
            calls - sum(cells[period, name] for name in shown) for period, calls in zip(periods, all_calls, strict=True)
        ]
    return series


_SERIES: Final[Mapping[str, Callable[[Sequence[Any]], Series]]] = {
    "calls": _read_members(redirected="redirected", no_change="no_change", disconnected="disconnected"),
    "recognition": _read_members(
        identified="identified",
        unknown="unknown",
        withheld="withheld",
        ambiguous="ambiguous",
        CRM_unavailable="unavailable",
    ),
    "rules": _read_rules,
    "latency": _read_members(half_of_the_calls="p50_ms", nine_of_ten="p90_ms", ninety_nine_of_a_hundred="p99_ms"),
    "crm": _read_members(
        from_memory="from_memory",
        from_the_mirror="from_mirror",
        Dataverse_asked="looked_up",
        last_known="last_known",
        nobody_asked="nobody_asked",
    ),
    "callers": _read_callers,
    "users": _read_members(ready="ready", not_ready="not_ready"),
    "enterprise-calls": _read_members(synced="synced", pending="pending", skipped="skipped", expired="expired"),
}
