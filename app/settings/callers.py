"""How callers are found, what makes them VIPs, and how long they are remembered."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from app.settings.group import PREFIX, Group
from app.settings.logical_names import LogicalName

__all__ = ["AmbiguityPolicy", "CacheSettings", "PhoneSettings", "VipCriterion", "VipSettings"]


class AmbiguityPolicy(StrEnum):
    """What counts when several records share a number and disagree about VIP."""

    ANY = "any"
    """One VIP among them makes the caller a VIP."""
    ALL = "all"
    """Only when every one of them is a VIP."""
    UNKNOWN = "unknown"
    """Nobody guesses: `caller.vip` is unknown."""


class PhoneSettings(Group):
    """How numbers are read and searched."""

    default_region: str = Field(
        default="FI", pattern="^[A-Z]{2}$", description="ISO 3166-1 country of numbers without a country code."
    )
    patterns: tuple[str, ...] = Field(
        default=(), max_length=4, description="The customer's own notations of stored numbers, one # a digit."
    )


class VipCriterion(Group):
    """One test on one column that makes a record a VIP."""

    table: Literal["contact", "account"]
    column: LogicalName
    op: Literal["is", "is_not", "in", "gt", "gte", "lt", "lte", "contains"] = "is"
    value: bool | int | float | str | tuple[bool | int | float | str, ...]
    label: str | None = Field(default=None, description="How to say it: `is a preferred customer`.")


class VipSettings(Group):
    """What makes a caller a VIP, directly or through their company."""

    criteria: tuple[VipCriterion, ...] = Field(
        default=(
            VipCriterion(
                table="account", column="accountcategorycode", op="is", value=1, label="is a preferred customer"
            ),
        ),
        description="Any one of them suffices.",
    )
    account_depth: int = Field(default=2, ge=0, le=5, description="Parent accounts followed upwards.")
    ambiguous: AmbiguityPolicy = Field(
        default=AmbiguityPolicy.ANY, description="What counts when records that share a number disagree."
    )


class CacheSettings(Group):
    """How long callers are remembered (RFC 5861 for the words stale-while-revalidate and stale-if-error)."""

    fresh_seconds: float = Field(default=60, ge=0, le=3600, description="A caller younger than this is not asked for.")
    stale_seconds: float = Field(
        default=86400, ge=0, le=604800, description="A caller younger than this is answered while it is asked anew."
    )
    negative_seconds: float = Field(default=30, ge=0, le=3600, description="How long nobody is believed to be nobody.")
    size: int = Field(default=50000, ge=100, le=1000000, description="Numbers remembered.")

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.stale_seconds < self.fresh_seconds:
            raise ValueError(f"{PREFIX}CACHE__STALE_SECONDS must not be less than {PREFIX}CACHE__FRESH_SECONDS")
        return self
