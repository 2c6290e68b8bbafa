"""What the tests of deployments read of the project: the image, the version, and the lines for a shell."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Image", "list_blocks", "read_image", "read_version", "run_example"]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Image:
    """What the Dockerfile promises to those who run the image."""

    port: int
    user: int
    """And group."""
    volume: str
    settings: dict[str, str]
    """Variables of ours that it sets."""


def read_image() -> Image:
    """Read the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    [(port,), (user,), (volume,)] = (
        re.findall(line, text, re.MULTILINE) for line in (r"^EXPOSE (\d+)$", r"^USER (\d+):\1$", r"^VOLUME (\S+)$")
    )
    return Image(int(port), int(user), volume, dict(re.findall(r"\b(SMARTROUTING_\w+)=(\S+)", text)))


def read_version() -> str:
    """Read the version of the project."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    [version] = re.findall(r'^version = "(.*)"$', text, re.MULTILINE)
    return str(version)


def list_blocks() -> list[str]:
    """List what the document about deployments has to be pasted, without the indent of a list."""
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^( *)```shell\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in blocks]


def run_example(folder: Path, name: str) -> None:
    """Run a named example of that document in a folder, for which a reader enters one secret."""
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    lines = text.partition(f"<!-- example: {name} -->\n```shell\n")[2].partition("```")[0]
    assert lines
    subprocess.run(  # noqa: S603 - the lines are meant to be pasted
        ["/usr/bin/env", "bash", "-e", "-c", lines],
        cwd=folder,
        input="fake-$ecret\n",
        text=True,
        check=True,
        timeout=20,
    )
