"""Copies of what is the same for every test and takes long to make: a database with tables, the sample organisation."""

import asyncio
import pickle
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.emulators.dataverse import Tables, read_tables, sample_tables
from app.store.database import open_database
from app.store.upgrade import upgrade

__all__ = ["lay_database", "make_tables"]

_SQLITE = "sqlite:///"


def lay_database(url: str) -> None:
    """Put an empty database with its tables where the SQLite `url` says, unless something is there already."""
    file = Path(url.removeprefix(_SQLITE))
    if url.startswith(_SQLITE) and file.parent.is_dir() and not file.exists():
        file.write_bytes(_make_database())


def make_tables(rows: Mapping[str, Any] | None) -> Tables:
    """Make an organisation of these rows, or the sample one, as a copy that may be changed."""
    if rows is not None:
        return read_tables(dict(rows))
    sample: Tables = pickle.loads(_dump_sample())  # noqa: S301 - our own bytes
    return sample


@cache
def _dump_sample() -> bytes:
    return pickle.dumps(sample_tables())


@cache
def _make_database() -> bytes:
    """Migrate an empty database; in a thread, because most who need it are in an event loop."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        file = Path(folder) / "template.db"
        pool.submit(asyncio.run, _create_tables(f"{_SQLITE}{file}")).result()
        return file.read_bytes()


async def _create_tables(url: str) -> None:
    database = open_database(url)
    await upgrade(database)
    await database.close()
