"""The parts of paths that name something, described once for the OpenAPI document."""

from typing import Annotated

from fastapi import Path

__all__ = ["AlertId", "DecisionId", "JobId", "KeyId", "RulesetRef", "StepId"]

AlertId = Annotated[str, Path(description="The `id` of an alert in `/admin/alerts`.")]
DecisionId = Annotated[str, Path(description="The `id` of a decision in `/admin/decisions`.")]
JobId = Annotated[str, Path(description="The `id` of a job, as its start and the lists tell it.")]
KeyId = Annotated[str, Path(description="The `id` of a key in `/admin/keys`.")]
RulesetRef = Annotated[
    str,
    Path(
        description="`current`, a revision's number, or a draft's id; what changes something takes a draft's id only.",
        openapi_examples={"live": {"value": "current"}},
    ),
]
StepId = Annotated[
    str,
    Path(
        description="The `id` of a step in `/admin/authentication`.", openapi_examples={"first": {"value": "support"}}
    ),
]
