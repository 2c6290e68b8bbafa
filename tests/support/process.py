"""What processes of the program are started with."""

import os
from collections.abc import Mapping

__all__ = ["clean_environment"]


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Make an environment with these settings of ours and no others; a process ends as soon as it is asked to."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("SMARTROUTING_")}
    return {**others, "SMARTROUTING_DRAIN_SECONDS": "0", **settings}
