"""Whether the lines in the document about deployments can be pasted."""

import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import typer.main

from app.cli import make_cli
from app.settings import read_settings
from tests.deploy.project import ROOT, list_blocks, read_image

BLOCKS = list_blocks()


def list_commands() -> list[list[str]]:
    """List the commands of all blocks, word by word."""
    lines = "".join(BLOCKS).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if re.match(r"(docker|kubectl|az|git|cp|make) ", line)]


def test_blocks_are_found() -> None:
    """There are lines for each of the three places."""
    assert {command[0] for command in list_commands()} >= {"docker", "kubectl", "az"}


@pytest.mark.parametrize("block", BLOCKS, ids=[str(number) for number in range(len(BLOCKS))])
def test_lines_are_written_as_a_shell_reads_them(block: str) -> None:
    """Every block can be parsed."""
    ended = subprocess.run(  # noqa: S603 - parsed only
        ["/usr/bin/env", "bash", "-n", "-c", block], capture_output=True, text=True, check=False, timeout=20
    )

    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_demo_of_the_image_is_reached_as_the_document_says(tmp_path: Path) -> None:
    """With the variables of image and line, it listens beyond its loopback, at the port that is published."""
    [command] = [each for each in list_commands() if each[:2] == ["docker", "run"]]
    options = dict(pairwise(command))
    name, value = options["-e"].split("=")
    image = read_image()

    settings = read_settings({**image.settings, name: value}, env_file=tmp_path / ".env")

    assert (settings.demo, settings.host) == (True, "0.0.0.0")  # noqa: S104 - as the image has it
    assert settings.port == image.port == int(options["-p"].rpartition(":")[2])


def test_lines_name_files_and_commands_that_exist() -> None:
    """Every path below `deploy` is in the repository, and every command of the service is one."""
    commands = list_commands()
    paths = {word.lstrip("@") for command in commands for word in command if word.lstrip("@").startswith("deploy/")}
    known = typer.main.get_group(make_cli()).commands.keys()
    ours = {
        command[place + 1]
        for command in commands
        for place, word in enumerate(command[:-1])
        if word == "smartrouting" and command[place - 1] in {"smartrouting", "--"}
    }

    assert {path for path in paths if not (ROOT / path).exists()} == set()
    assert {"check", "upgrade-notes"} <= ours <= known
