"""What travels in the wheel."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from hatchling import build

from tests.support.process import clean_environment

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Build the wheel as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    with chdir(ROOT):
        name = build.build_wheel(str(folder))
    with zipfile.ZipFile(folder / name) as opened:
        yield opened


def list_sources() -> set[str]:
    """List every file of the application that is not made by running it."""
    files = (path for path in (ROOT / "app").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(ROOT)) for path in files}


def test_wheel_holds_the_whole_application(wheel: zipfile.ZipFile) -> None:
    """Every source file and every data file of the application is in the wheel, the changes, and nothing else."""
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert inside == list_sources() | {"app/store/CHANGELOG.md"}
    assert wheel.read("app/store/CHANGELOG.md") == (ROOT / "CHANGELOG.md").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "app/store/migrations/env.py",
        "app/store/migrations/versions/0001_first_schema.py",
        "app/emulators/dataverse/sample.json",
        "app/demo/ruleset.json",
    ],
)
def test_data_files_travel(wheel: zipfile.ZipFile, name: str) -> None:
    """Migrations, sample data and sample rules are there, byte for byte."""
    assert wheel.read(name) == (ROOT / name).read_bytes()


def test_console_script_is_declared(wheel: zipfile.ZipFile) -> None:
    """Installing gives the command."""
    entry_points = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))

    assert "smartrouting = app.cli:main" in wheel.read(entry_points).decode()


def test_unpacked_wheel_works_far_from_the_repository(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """With nothing but the wheel and the libraries the demo's systems, rules and migrations are there."""
    packages, folder = tmp_path / "packages", tmp_path / "elsewhere"
    wheel.extractall(packages)
    folder.mkdir()
    program = "import app.cli, sys; sys.stderr.write(app.cli.__file__); app.cli.main()"

    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program, "check"],
        cwd=folder,
        env={**clean_environment({"SMARTROUTING_DEMO": "1"}), "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, str(packages / "app" / "cli" / "__init__.py"))
    assert "ruleset: 3 rules from the sample" in ended.stdout


def read_locked_names(path: str) -> set[str]:
    """List the packages that a constraints file pins."""
    return set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / path).read_text(), re.MULTILINE))


def test_service_is_installed_without_tools() -> None:
    """What builds or reloads the package, or speaks websockets, is not installed beside the service."""
    tools = read_locked_names("constraints-build.txt") | {"pip", "watchfiles", "websockets"}

    assert tools >= {"hatchling", "setuptools"}
    assert read_locked_names("constraints.txt") & tools == set()
