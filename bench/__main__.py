"""Runs measurements by name: `python -m bench webhook rules`, or one with arguments: `python -m bench soak 30`."""

import importlib
import inspect
import sys

from bench.output import write

_USUAL = ("webhook", "rules")
_NAMES = {
    "webhook": "throughput of the webhook beside a bare FastAPI route",
    "rules": "time of a decision and of a trace",
    "faults": "every fault of the CRM x what is known about the caller x valid and expired token (2 minutes)",
    "stampede": "crowds: one number 1,000 times, 5,000 calls under 429, a CRM that hangs (3 minutes)",
    "cold": "callers nobody knows yet, 50 at a time, with a CRM that takes 80 ms",
    "kill": "kill -9 under load, 50 rounds or as many as said (3 minutes)",
    "soak": "mixed load at half the maximum rate, for 2 minutes or as many as said",
    "mirror": "the mirror with 1,000,000 contacts, or as many as --contacts says (10 minutes)",
    "reports": "figures of 90 days, of 1,000,000 decisions or as many as --decisions says (20 minutes)",
    "replay": "recorded decisions against a draft",
    "mutants": "small changes of the code that no test notices: beginnings of file names, --count, --seed, --minutes",
    "enterprise_calls": "a month of calls that become activities: requests, own time, right or wrong (10 minutes)",
    "neighbours": "calls beside crowds on every other route: p99, late answers, memory (2 minutes)",
    "events": "ten events a second that run five rows each, and calls beside them (1 minute)",
    "paths": "files that a call, enabling a user and publishing run through; with `files`, which ones",
}


def main(arguments: list[str]) -> None:
    """Run what is named; anything that is no name is an argument of the measurement before it."""
    if arguments and arguments[0] not in _NAMES:
        write("\n".join(f"  {name:10} {what}" for name, what in _NAMES.items()))
        raise SystemExit(2)
    for name, own in _split(arguments or list(_USUAL)):
        write(f"--- {name}: {_NAMES[name]}")
        run = importlib.import_module(f"bench.{name}").main
        run(own) if inspect.signature(run).parameters else run()


def _split(arguments: list[str]) -> list[tuple[str, list[str]]]:
    runs: list[tuple[str, list[str]]] = []
    for word in arguments:
        if word in _NAMES:
            runs.append((word, []))
        else:
            runs[-1][1].append(word)
    return runs


main(sys.argv[1:])
