"""Runs operations of Microsoft's Python client against the address it is given; prints one JSON line for each."""

import json
import sys
from collections.abc import Callable
from typing import Any

from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.models.upsert import UpsertItem

FETCH = "<fetch top='2'><entity name='contact'><attribute name='fullname'/></entity></fetch>"


class Token:
    """The emulator's token."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """Return it."""
        return AccessToken("demo-dataverse-token", 9_999_999_999)


def run_batch(client: DataverseClient, contact: str, *, goes_on: bool) -> list[int]:
    """Run a batch of a write and a read."""
    batch = client.batch.new()
    batch.records.create("contact", {"lastname": "Korhonen"})
    batch.records.retrieve("contact", contact, select=["fullname"])
    return [each.status_code for each in batch.execute(continue_on_error=goes_on).responses]


def run_change_set(client: DataverseClient) -> None:
    """Run a batch whose writes succeed or fail together."""
    batch = client.batch.new()
    with batch.changeset() as changes:
        changes.records.create("contact", {"lastname": "Korhonen"})
    batch.execute()


def main(url: str) -> None:
    """Run them all, in this order."""
    client = DataverseClient(url, Token())
    contact = client.records.create("contact", {"firstname": "Aino", "lastname": "Mäkelä"})
    several = client.records.create("contact", [{"lastname": "Niemi"}, {"lastname": "Laine"}])
    account = [UpsertItem(alternate_key={"accountnumber": "A1"}, record={"name": "Contoso"})]
    steps: dict[str, Callable[[], Any]] = {
        "create a record": lambda: client.records.create("contact", {"lastname": "Salo"}),
        "create several (CreateMultiple)": lambda: client.records.create("contact", [{"lastname": "Salo"}]),
        "retrieve": lambda: client.records.retrieve("contact", contact, select=["fullname"]),
        "update": lambda: client.records.update("contact", contact, {"lastname": "Heino"}),
        "update several (UpdateMultiple)": lambda: client.records.update("contact", several, {"jobtitle": "Buyer"}),
        "list": lambda: client.records.list("contact", select=["contactid"], filter="lastname eq 'Heino'", top=3),
        "list pages": lambda: list(client.records.list_pages("contact", select=["contactid"], page_size=2)),
        "expand": lambda: client.records.list("contact", expand=["parentcustomerid_account"], top=1),
        "query builder": lambda: list(client.query.builder("contact").select("fullname").top(2).execute()),
        "list tables": client.tables.list,
        "describe a table": lambda: client.tables.get("contact"),
        "list columns": lambda: client.tables.list_columns("contact"),
        "batch": lambda: run_batch(client, contact, goes_on=False),
        "batch that goes on after errors": lambda: run_batch(client, contact, goes_on=True),
        "delete": lambda: client.records.delete("contact", contact),
        "upsert by an alternate key that is none": lambda: client.records.upsert("account", account),
        "SQL": lambda: client.query.sql("SELECT TOP 2 fullname FROM contact"),
        "FetchXML": lambda: list(client.query.fetchxml(FETCH).execute()),
        "change set": lambda: run_change_set(client),
        "delete several (BulkDelete)": lambda: client.records.delete("contact", several),
        "create a table": lambda: client.tables.create("new_Thing", {"new_Name": "string"}),
    }
    for name, step in steps.items():
        print(json.dumps([name, attempt(step)]))  # noqa: T201 - what this program is for


def attempt(step: Callable[[], Any]) -> int:
    """Return 200, or the status of the refusal; 0 for anything else that goes wrong."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
        return getattr(error, "status_code", None) or 0
    return 200


if __name__ == "__main__":
    main(sys.argv[1])
