"""What is true of the organisation as a whole."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from app.settings.base import Group, require_zone

__all__ = ["GeneralSettings"]


class GeneralSettings(Group):
    """Who runs this, where and in which language: told in everything that is written for people."""

    organisation: str | None = Field(
        default=None, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", description="Name of the customer."
    )
    time_zone: Annotated[str, AfterValidator(require_zone)] = Field(
        default="UTC", max_length=60, description="IANA name; the times in messages for people are told in it."
    )
    languages: tuple[Literal["en", "fi"], ...] = Field(
        default=("en",), min_length=1, max_length=2, description="Messages for people are written in the first one."
    )
