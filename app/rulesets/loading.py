"""Makes a ruleset document ready to decide."""

import asyncio
from functools import partial

from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.ruleset import read_ruleset

__all__ = ["load_rules"]


async def load_rules(document: object, *, revision: int | None = None) -> CompiledRuleset:
    """Read and compile a document in a thread, because thousands of rules take longer than a call may wait.

    `revision` is `None` for what is not published. Raises InvalidInputError for what is unreadable, or cannot run.
    """
    ruleset = await asyncio.to_thread(read_ruleset, document)
    return await asyncio.to_thread(partial(compile_ruleset, revision=revision), ruleset)
