"""The hand-off as a document: for programs, as Markdown, and as a page to print."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from app.operations.golive.handoff import QUESTIONS, Handoff
from app.operations.golive.judgements import ENREACH_NETWORKS, QUEUE_SECONDS
from app.settings import Settings

__all__ = ["Sheet", "Webhook", "make_sheet", "write_html", "write_markdown"]

_BLANK = "(missing)"
_STYLE = (
    "body{font:11pt/1.4 sans-serif;max-width:48em;margin:2em auto}table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #999;padding:.3em .5em;text-align:left;vertical-align:top}h2{margin-top:1.5em}"
    "@media print{body{margin:0}h2{break-after:avoid}tr{break-inside:avoid}}"
)
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """How this service is called."""

    method: str
    url: str | None
    content_type: str
    authentication: tuple[str, ...]
    """The ways, with labels and names; the secrets are handed over separately."""
    deadline_ms: int
    """The longest this service takes to answer."""
    queue_timeout_seconds: int
    """What the queue must at least be set to wait."""
    no_change_status: int
    response_keys: tuple[str, ...]
    networks: tuple[str, ...]
    """Networks from which requests are accepted; none: from any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What Enreach needs to set the queues up, and what to ask them."""

    organisation: str | None
    handoff: Handoff
    missing: tuple[str, ...]
    """What is still blank."""
    webhook: Webhook
    questions: tuple[str, ...]


def make_sheet(handoff: Handoff, settings: Settings) -> Sheet:
    """Put together what was agreed and what the settings say."""
    webhook = settings.webhook
    keys = [f"header X-Benemen-APIKey ({label})" for label in webhook.api_keys]
    users = [f"HTTP Basic ({user})" for user in webhook.basic_users]
    return Sheet(
        organisation=settings.general.organisation,
        handoff=handoff,
        missing=tuple(handoff.list_missing()),
        webhook=Webhook(
            method="POST",
            url=handoff.public_url,
            content_type="application/json",
            authentication=(*keys, *users),
            deadline_ms=webhook.deadline_ms,
            queue_timeout_seconds=QUEUE_SECONDS,
            no_change_status=settings.response.no_change_status,
            response_keys=(
                "InitialTarget",
                "FailTarget",
                *(spelling.key for spelling in settings.response.fields.values()),
            ),
            networks=tuple(str(network) for network in webhook.allowed_networks),
        ),
        questions=QUESTIONS,
    )


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    head: Row
    rows: Sequence[Row]


def _list_sections(sheet: Sheet) -> Iterator[_Section]:
    handoff, webhook = sheet.handoff, sheet.webhook
    yield _Section(
        "Web service",
        ("what", "value"),
        [
            ("URL", webhook.url or _BLANK),
            ("method and body", f"{webhook.method}, {webhook.content_type}"),
            ("authentication", "; ".join(webhook.authentication) or _BLANK),
            ("key", "handed over separately"),
            ("answers within", f"{webhook.deadline_ms} ms; the queue waits {webhook.queue_timeout_seconds} s"),
            ("instructions", f"200 with {', '.join(webhook.response_keys)}"),
            ("no instructions", f"{webhook.no_change_status}, empty: the queue goes on as it is set up"),
            ("accepted from", ", ".join(webhook.networks) or f"any network; yours: {', '.join(ENREACH_NETWORKS)}"),
            ("set-up on", _BLANK if handoff.agreed_date is None else handoff.agreed_date.isoformat()),
        ],
    )
    queues = [(queue.name, queue.target_id, queue.queue_id or "") for queue in handoff.queues]
    yield _Section("Queues", ("name", "targetid", "queue id"), queues or [(_BLANK, "", "")])
    contacts = [(each.name, each.role or "", each.email or "", each.phone or "") for each in handoff.contacts]
    yield _Section("Contact persons", ("name", "role", "e-mail", "phone"), contacts or [(_BLANK, "", "", "")])
    yield _Section("Test numbers", ("number",), [(number,) for number in handoff.test_numbers] or [(_BLANK,)])
    yield _Section("Questions to Enreach", ("question", "answer"), [(question, "") for question in sheet.questions])


def _title(sheet: Sheet) -> str:
    return "Smart Routing hand-off" + (f": {sheet.organisation}" if sheet.organisation else "")


def write_markdown(sheet: Sheet) -> str:
    """Write it as Markdown; what somebody typed is text there, never markup."""
    lines = [f"# {_escape_markdown(_title(sheet))}", ""]
    for section in _list_sections(sheet):
        lines += [f"## {section.title}", "", _write_row(section.head), "|" + "---|" * len(section.head)]
        lines += [_write_row(tuple(map(_escape_markdown, row))) for row in section.rows] + [""]
    return "\n".join(lines)


def write_html(sheet: Sheet) -> str:
    """Write it as a page that needs nothing from elsewhere."""
    title, parts = escape(_title(sheet)), list[str]()
    for section in _list_sections(sheet):
        head = "".join(f"<th>{name}</th>" for name in section.head)
        rows = ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in section.rows]
        parts.append(f"<h2>{section.title}</h2><table><tr>{head}</tr>{''.join(rows)}</table>")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body><h1>{title}</h1>{''.join(parts)}</body></html>"
    )


def _write_row(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"


def _escape_markdown(text: str) -> str:
    return "".join(f"\\{each}" if each in "\\`*_[]<>|#" else each for each in " ".join(text.split()))
