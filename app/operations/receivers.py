"""Tells one receiver of an alert: by signed webhook, by e-mail, or in a chat."""

import smtplib
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import anyio.to_thread
import orjson
from anyio import CapacityLimiter

from app.operations.hook_sender import HookFailedError, HookSender
from app.operations.signed_hooks import HookMessage
from app.settings import Settings
from app.settings.alerts import AlertReceiver, AlertsSettings
from app.settings.deployment import GeneralSettings

__all__ = ["ReceiverTeller", "describe_message"]

_SMTP_SECONDS: Final = 10.0
_MAILS_AT_ONCE: Final = 2
_REJECTED: Final = range(500, 600)
"""Replies of a mail server that will be the same the next time (RFC 5321, section 4.2.1)."""

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {"alert": "alert", "over": "over", "what": "What", "key": "Key", "since": "Since"},
    "fi": {"alert": "hälytys", "over": "ohi", "what": "Mitä", "key": "Tunnus", "since": "Alkaen"},
}

Facts = Sequence[tuple[str, str]]
"""Names and texts, in the order they are shown."""


class ReceiverTeller:
    """Knows how each kind of receiver is told. Nothing it raises holds an address, a user or a secret."""

    def __init__(self, *, hooks: HookSender, certificates: ssl.SSLContext | None = None) -> None:
        """`certificates` are others than everybody's, for mail servers."""
        self._hooks = hooks
        self._certificates = certificates
        self._threads = CapacityLimiter(_MAILS_AT_ONCE)

    async def tell(self, name: str, settings: Settings, message: HookMessage) -> None:
        """Tell a receiver of the settings once; raises HookFailedError, which says whether another try can help."""
        alerts, receiver = settings.alerts, settings.alerts.receivers[name]
        if receiver.kind == "email":
            mail = _write_mail(receiver, settings, message)
            send = partial(_send_mail, mail, alerts, self._certificates)
            await anyio.to_thread.run_sync(send, limiter=self._threads, abandon_on_cancel=True)
            return
        secret = alerts.receiver_secrets[name].get_secret_value()
        if receiver.kind == "webhook" and receiver.url is not None:
            await self._hooks.post(receiver.url, secret, message)
        else:
            title, facts = describe_message(message, settings.general)
            body = _write_card(title, facts) if receiver.kind == "teams" else _write_text(title, facts)
            await self._hooks.post_json(secret, orjson.dumps(body))


def describe_message(message: HookMessage, general: GeneralSettings) -> tuple[str, Facts]:
    """Say a message for people, in the language and the time of their organisation: a title, and facts."""
    words, data = _WORDS[general.languages[0]], message.data
    opened = words["over"] if message.type.endswith("cleared") else words["alert"]
    organisation = general.organisation or "Smart Routing"
    if "title" in data:
        return f"{organisation}: {data['title']}", [("", str(data.get("message", "")))]
    title = ": ".join(filter(None, (organisation, opened, str(data.get("kind", "")))))
    facts = [(words["what"], str(data.get("message", ""))), (words["key"], str(data.get("key", "")))]
    if (since := data.get("opened_at")) is not None:
        moment = since if isinstance(since, datetime) else datetime.fromisoformat(str(since))
        facts.append((words["since"], f"{moment.astimezone(ZoneInfo(general.time_zone)):%Y-%m-%d %H:%M:%S %Z}"))
    return title, facts


def _write_mail(receiver: AlertReceiver, settings: Settings, message: HookMessage) -> EmailMessage:
    title, facts = describe_message(message, settings.general)
    mail = EmailMessage()
    mail["Subject"] = title
    mail["From"] = settings.alerts.smtp_from
    mail["To"] = ", ".join(receiver.to)
    mail["Message-ID"] = f"<{message.id}@smartrouting.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join(map(_write_fact, facts)) + "\n")
    if html := message.data.get("html"):
        mail.add_alternative(str(html), subtype="html")
    pictures: Any = message.data.get("pictures", {})
    for name, picture in pictures.items():
        mail.add_attachment(picture.encode(), maintype="image", subtype="svg+xml", filename=name)
    return mail


def _write_fact(fact: tuple[str, str]) -> str:
    return ": ".join(filter(None, fact))


def _write_text(title: str, facts: Facts) -> Mapping[str, Any]:
    """Write an incoming webhook of Slack."""
    return {"text": "\n".join([f"*{title}*", *map(_write_fact, facts)])}


def _write_card(title: str, facts: Facts) -> Mapping[str, Any]:
    """Write an adaptive card as a workflow of Teams takes it."""
    body = [
        {"type": "TextBlock", "text": title, "weight": "Bolder", "size": "Medium", "wrap": True},
        {"type": "FactSet", "facts": [{"title": name, "value": text} for name, text in facts]},
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _send_mail(mail: EmailMessage, settings: AlertsSettings, certificates: ssl.SSLContext | None) -> None:
    host, certificates = settings.smtp_host or "", certificates or ssl.create_default_context()
    try:
        if settings.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, settings.smtp_port, timeout=_SMTP_SECONDS, context=certificates
            )
        else:
            server = smtplib.SMTP(host, settings.smtp_port, timeout=_SMTP_SECONDS)
        with server:
            if settings.smtp_security == "starttls":
                server.starttls(context=certificates)
            if settings.smtp_user is not None:
                password = settings.smtp_password
                server.login(settings.smtp_user, "" if password is None else password.get_secret_value())
            server.send_message(mail)
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise _explain(error) from error


def _explain(error: Exception) -> HookFailedError:
    lasting = False
    match error:
        case UnicodeError():
            reason = "takes smtp_user and smtp_password in plain ASCII only"
        case smtplib.SMTPAuthenticationError():
            reason = "refused the user or the password"
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            reason, lasting = "refused every recipient", all(code in _REJECTED for code, _ in refused.values())
        case smtplib.SMTPResponseException(smtp_code=code):
            reason = f"answered {code}"
        case smtplib.SMTPNotSupportedError():
            reason = "does not offer what smtp_security or smtp_user asks for"
        case ssl.SSLError():
            reason = "has a certificate or an encryption that is not accepted"
        case _:
            reason = "cannot be reached"
    return HookFailedError(f"the mail server {reason}", lasting=lasting)
