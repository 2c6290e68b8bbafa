"""Names of columns and tables."""

from typing import Annotated

from pydantic import Field

__all__ = ["LogicalName"]

LogicalName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")]
"""A Dataverse column or table by its lower-case logical name."""
