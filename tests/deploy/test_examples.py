"""Whether the lines in the document about deployments can be pasted."""

import re
import shlex
import subprocess

import pytest
import typer.main

from app.cli import make_cli
from tests.deploy.project import ROOT, list_blocks

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
