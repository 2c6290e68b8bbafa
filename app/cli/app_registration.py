"""`smartrouting app-registration guide`: how the secret of an app registration is made and renewed."""

import asyncio
import sys
from contextlib import AsyncExitStack
from textwrap import dedent
from typing import Annotated

import typer

from app.bootstrap.stores import open_stores
from app.bootstrap.upstreams import Upstreams
from app.cli.shell import keep_files_private
from app.demo.setup import prepare_demo
from app.errors import InvalidInputError
from app.observability.logging import configure_logging
from app.operations.registrations.registrations import AppRegistrations
from app.settings import Settings, read_settings
from app.store.upgrade import upgrade

__all__ = ["app_registration"]

app_registration = typer.Typer(
    name="app-registration", help="App registrations that Voice signs in with.", no_args_is_help=True
)

_GUIDE = """\
    A secret for the app registration {title}
    Application (client) id {application_id}; here: {name}

    There are two ways. Which one is allowed is for the customer's IT organisation to decide.

    1. Two years, in the portal
       For: a secret that leaks is worthless after two years at most. Against: somebody must renew it in time, every
       time; after its end callers are not recognised, and users of the phone client lose their connection.
       a. Entra ID, App registrations, {title}, Certificates & secrets, New client secret.
       b. Give it a description of its own, and the longest expiry that is allowed: 24 months.
       c. Copy the value at once; it is never shown again.

    2. A hundred years, in Azure Cloud Shell
       For: nothing to renew. Against: what leaks once opens the organisation until somebody removes it.
       a. Open Cloud Shell (Bash) as an owner of the app registration.
       b. Run this; without --append all other secrets would be gone at once:
            az ad app credential reset --id {application_id} \\
              --append --display-name "voice" --years 100 --query password --output tsv
       c. Copy the value at once; it is never shown again.
       A policy of the tenant may forbid such secrets; then take the first way.

    Then, whichever way:
       - Begin the renewal, which says what is to be done next: PUT /admin/app-registrations/{name}/renewal
       - Send the value to Enreach before the old secret ends, by a way that is safe for secrets, where Enreach's back
         end signs in with it; Enreach updates the back end, each environment by itself.
       - Where this service signs in with it: set SMARTROUTING_DATAVERSE__CLIENT_SECRET, and restart the service.
       - Prove that it works: POST /admin/app-registrations/{name}/renewal/token
       - Remove the old secret in Entra ID.
    docs/staying-live.md has the lines to paste.
"""


@app_registration.callback()
def _group() -> None:
    """Keep the one command a command of its own."""


@app_registration.command()
def guide(
    name: Annotated[str, typer.Argument(help="What it is called in /admin/app-registrations.")] = "routing",
) -> None:
    """Print how a secret is made for two years or for a hundred, what speaks for each, and what comes then."""
    settings = read_settings()
    if settings.demo:
        settings = prepare_demo(settings, Upstreams()).settings
    configure_logging("error", "console")
    keep_files_private()
    title, application_id = asyncio.run(_find(settings, name))
    sys.stdout.write(dedent(_GUIDE).format(title=title, application_id=application_id, name=name))


async def _find(settings: Settings, name: str) -> tuple[str, str]:
    """Find what a registration is called in Entra ID, as far as that is known, and its application id."""
    async with AsyncExitStack() as stack:
        stores = open_stores(settings, stack)
        await upgrade(stores.database)
        registrations = AppRegistrations(
            documents=stores.documents, readings=stores.registration_readings, clock=lambda: 0.0
        )
        found, _ = await registrations.read()
    if name in found:
        known = found[name]
        read = known.reading.name if known.reading else ""
        return read or known.entered.environment or name, known.entered.application_id
    if name == "routing" and settings.dataverse.client_id is not None:
        return name, settings.dataverse.client_id
    entered = ", ".join(sorted(found)) or "none"
    raise InvalidInputError(f"there is no app registration {name!r}; entered are: {entered}")
