"""Why a rule did not match, as sentences, with the real reason why a fact was unknown."""

import re
from pathlib import Path

from app.emulators.faults import Fault, FaultKind
from tests.support.service import VIP_RULES, open_service

TIMED_OUT = r'^"vip" would have matched, but caller\.vip is unknown: Dataverse timed out at \d\.\d s\.$'


async def test_near_miss_names_the_timeout(tmp_path: Path) -> None:
    """A call whose caller Dataverse did not tell in time is explained by the rule it missed and the time it took."""
    async with open_service(tmp_path, rules=VIP_RULES, webhook={"deadline_ms": 1500}) as service:
        service.dataverse.faults.add(Fault(kind=FaultKind.HANG))

        assert (await service.call("+358501234567")).status_code == 204

        detail = await service.explain_last()
        [miss] = detail["trace"]["near_misses"]
        assert re.match(TIMED_OUT, miss["sentence"])
        assert (miss["rule"], miss["pointer"], miss["cause"]) == ("vip", "/rules/0/when", "timeout")
        assert detail["trace_agrees"]


async def test_near_miss_names_the_value(tmp_path: Path) -> None:
    """A simulated call says which single condition kept a rule from matching, and what the value was."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        answer = await service.simulate(call={"anum": "+358501234567"}, caller={"vip": False})

        sentences = [miss["sentence"] for miss in answer.json()["trace"]["near_misses"]]
        assert sentences == ['"vip" would have matched, but caller.vip is false and must be true.']
