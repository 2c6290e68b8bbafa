"""The journal: what it promises on disk, whatever happens to the disk or the process."""

import errno
import os
import shutil
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from app.store.errors import StoreUnwritableError
from app.store.journal import Journal, JournalHealth, Segment
from app.store.private_file import Lock
from tests.support.records import NOON, make_record

WRITABLE = JournalHealth(writable=True, detail="")


class Clock:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Read the clock."""
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the journal is; nobody has made it yet."""
    return tmp_path / "journal"


def open_journal(
    folder: Path, *, segment_bytes: int = 2**20, most_bytes: int = 2**30, clock: Clock | None = None
) -> Journal:
    """Open a journal with small files."""
    return Journal(folder=folder, clock=clock or Clock(), segment_bytes=segment_bytes, most_bytes=most_bytes)


def read_lines(folder: Path) -> list[bytes]:
    """Read every line of every file, oldest first."""
    return [line for path in sorted(folder.glob("*.log")) for line in path.read_bytes().splitlines()]


def test_record_is_in_the_file_when_append_returns(folder: Path) -> None:
    """A record is one line of JSON in a file that only its owner may read."""
    record = make_record()
    journal = open_journal(folder)

    assert journal.append(record)

    (line,) = read_lines(folder)
    assert orjson.loads(line)["id"] == record.id
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert (journal.health, journal.backlog) == (WRITABLE, 1)
    journal.close()


@pytest.mark.parametrize(
    "facts",
    [{"a": "\ud800\0"}, {"a": 10**40}, {"a": float("nan")}, {"a": {1, 2}}, {"a": b"x"}, {1: (2, [3])}],
    ids=["surrogate", "huge-number", "nan", "set", "bytes", "odd-key"],
)
def test_odd_values_are_written(folder: Path, facts: dict[object, object]) -> None:
    """Whatever a caller sends, the record becomes one readable line."""
    journal = open_journal(folder)

    assert journal.append(make_record(facts=facts, caller_raw="a\nb\ud800"))

    (line,) = read_lines(folder)
    assert orjson.loads(line)["caller_raw"].startswith("a\nb")
    journal.close()


def test_value_without_end_is_refused_and_the_next_record_is_written(folder: Path) -> None:
    """A record that cannot be written down is lost alone."""
    endless: dict[str, object] = {}
    endless["self"] = endless
    journal = open_journal(folder)

    assert not journal.append(make_record(facts=endless))
    assert journal.append(make_record())

    assert (journal.health, journal.backlog) == (WRITABLE, 1)
    journal.close()


def test_full_file_is_followed_by_a_new_one(folder: Path) -> None:
    """Files stay near their size, and their names sort by age."""
    journal = open_journal(folder, segment_bytes=2000)

    for second in range(6):
        assert journal.append(make_record(NOON + second))

    files = sorted(folder.glob("*.log"))
    assert len(files) > 1
    assert max(path.stat().st_size for path in files) <= 2000
    assert [orjson.loads(line)["at"] for line in read_lines(folder)] == [NOON + second for second in range(6)]
    journal.close()


def test_journal_at_its_limit_refuses(folder: Path) -> None:
    """A journal nobody empties stops at its limit and says why, instead of filling the disk."""
    journal = open_journal(folder, segment_bytes=2000, most_bytes=4000)

    taken = [journal.append(make_record(NOON + second)) for second in range(9)]

    assert (taken[0], taken[-1]) == (True, False)
    assert sum(path.stat().st_size for path in folder.glob("*.log")) <= 4000
    assert journal.health == JournalHealth(writable=False, detail="Disk quota exceeded")
    assert journal.backlog == taken.count(True)
    journal.close()


def test_unwritable_folder_refuses_and_is_tried_again_later(tmp_path: Path) -> None:
    """An append that fails says so; nothing is tried until the clock has moved, then writing resumes."""
    blocker = tmp_path / "journal"
    blocker.write_text("in the way")
    clock = Clock()
    journal = open_journal(blocker, clock=clock)

    assert not journal.append(make_record())
    assert journal.health == JournalHealth(writable=False, detail="File exists")

    blocker.unlink()
    assert not journal.append(make_record())

    clock.now += 1.0
    assert journal.append(make_record())
    assert (journal.health, journal.backlog) == (WRITABLE, 1)
    journal.close()


def test_full_disk_leaves_whole_lines_only(folder: Path) -> None:
    """A line for which there was no space is refused; what was written before can be read."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    clock = Clock()
    journal = open_journal(folder, clock=clock)
    assert journal.append(make_record())
    (path,) = folder.glob("*.log")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
    try:
        assert not journal.append(make_record(NOON + 1))
        assert not journal.health.writable
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    clock.now += 1.0
    assert journal.append(make_record(NOON + 2))

    assert [orjson.loads(line)["at"] for line in read_lines(folder)] == [NOON, NOON + 2]
    journal.close()


def test_file_of_a_living_process_is_not_taken(folder: Path) -> None:
    """While one journal has a file open, another one leaves it alone; then it takes it over."""
    living = open_journal(folder)
    living.append(make_record())
    other = open_journal(folder)

    assert other.adopt_abandoned() == 0
    living.close()
    assert other.adopt_abandoned() == 1

    assert other.backlog == 1
    other.close()


def test_empty_file_of_a_dead_process_is_removed(folder: Path) -> None:
    """A process that died before its first record leaves nothing to carry on."""
    Segment.create(folder, NOON).close()
    journal = open_journal(folder)

    assert journal.adopt_abandoned() == 0

    assert list(folder.iterdir()) == []


def test_torn_last_line_does_not_count(folder: Path) -> None:
    """What a process left half-written when it died is no record."""
    first = open_journal(folder)
    first.append(make_record())
    first.close()
    (path,) = folder.glob("*.log")
    with path.open("ab") as file:
        file.write(b'{"id":"torn')

    journal = open_journal(folder)
    journal.adopt_abandoned()

    segment = journal.find_oldest()
    assert segment is not None
    assert (journal.backlog, segment.torn, len(segment.read(9))) == (1, 11, 1)
    journal.close()


def test_offset_is_remembered_across_processes(folder: Path) -> None:
    """A successor reads on where its predecessor stopped."""
    first = Segment.create(folder, NOON)
    for line in (b"a\n", b"b\n", b"c\n"):
        first.append(line)
    first.remember(first.read(2))
    first.close()

    second = Segment.adopt(first.path)

    assert second is not None
    assert (second.waiting, second.read(9)) == (1, [b"c"])
    second.close()


@pytest.mark.parametrize("offset", [b"", b"x", b"99999"], ids=["empty", "garbage", "too-large"])
def test_damaged_offset_loses_nothing_that_is_whole(folder: Path, offset: bytes) -> None:
    """An offset that cannot be is ignored."""
    first = Segment.create(folder, NOON)
    first.append(b"a\n")
    first.close()
    first.path.with_suffix(".offset").write_bytes(offset)

    second = Segment.adopt(first.path)

    assert second is not None
    assert second.read(9) == [b"a"]
    second.close()


def test_line_longer_than_one_read_is_read_whole(folder: Path) -> None:
    """A line of any length comes back."""
    segment = Segment.create(folder, NOON)
    long = b"x" * 1_000_000
    segment.append(long + b"\n")
    segment.append(b"short\n")

    assert segment.read(1) == [long]
    segment.close()


def test_finished_files_are_deleted(folder: Path) -> None:
    """A file whose lines are moved disappears with its offset once nothing is added to it."""
    journal = open_journal(folder)
    journal.append(make_record())
    segment = journal.find_oldest()
    assert segment is not None
    segment.remember(segment.read(9))
    journal.retire_active()

    assert journal.find_oldest() is None

    assert list(folder.iterdir()) == []
    journal.close()


def test_files_are_closed_at_the_end(folder: Path) -> None:
    """Closing a journal leaves no descriptor open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    journal = open_journal(folder, segment_bytes=2000)
    for second in range(6):
        journal.append(make_record(NOON + second))

    journal.close()

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_unusable_folder_is_refused_before_the_first_call(tmp_path: Path) -> None:
    """A folder that cannot be made is one clear line, not a service that keeps no record."""
    (tmp_path / "file").touch()
    journal = Journal(folder=tmp_path / "file" / "journal", clock=lambda: 0.0)

    with pytest.raises(StoreUnwritableError, match=r"cannot create the folder .* of the journal"):
        journal.require_folder()


def refuse(_descriptor: int, _operation: int) -> None:
    """Lock as a file system does that knows no locks."""
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def ignore(_descriptor: int, _operation: int) -> None:
    """Lock as a file system does whose locks keep nobody away."""


@pytest.mark.parametrize(
    ("lock", "reason"), [(refuse, os.strerror(errno.ENOLCK)), (ignore, "locks of files do not work here")]
)
def test_folder_where_locks_do_not_work_is_refused(folder: Path, lock: Lock, reason: str) -> None:
    """Without locks, processes would take each other's files: the start says so."""
    with pytest.raises(StoreUnwritableError) as caught:
        open_journal(folder).require_folder(lock=lock)

    assert caught.value.detail == f"cannot write and lock files in the folder {folder} of the journal: {reason}"
    assert list(folder.iterdir()) == []


def test_checking_the_folder_leaves_nothing(folder: Path) -> None:
    """The start makes, locks and deletes a file."""
    open_journal(folder).require_folder()

    assert list(folder.iterdir()) == []


def test_folder_that_is_removed_is_made_again(folder: Path) -> None:
    """The next record is in a file that a successor finds, and those before it are not given up."""
    journal = open_journal(folder)
    journal.append(make_record(NOON))
    shutil.rmtree(folder)

    assert journal.append(make_record(NOON + 1))

    assert [orjson.loads(line)["at"] for line in read_lines(folder)] == [NOON + 1]
    assert (journal.health, journal.backlog) == (WRITABLE, 2)
    journal.close()


def test_file_that_cannot_be_adopted_does_not_keep_later_ones(folder: Path) -> None:
    """It is told once, and everything behind it is taken over."""
    (folder / "00000000000000-1-broken.log").mkdir(parents=True)
    old = open_journal(folder)
    old.append(make_record())
    old.close()
    journal = open_journal(folder)

    with capture_logs() as lines:
        adopted = [journal.adopt_abandoned() for _ in range(2)]

    assert (adopted, journal.backlog) == ([1, 0], 1)
    assert [(line["event"], line["segment"]) for line in lines if line["log_level"] == "warning"] == [
        ("journal.segment_not_adopted", "00000000000000-1-broken.log")
    ]
    journal.close()
