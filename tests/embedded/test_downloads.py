"""The cache of downloads: complete or absent, fetched once."""

import threading
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trueup.embedded.downloads import cache_folder, cached
from trueup.embedded.errors import DownloadFailed


class Source:
    """Somewhere to fetch two files from; counts how often that was done."""

    def __init__(self, error: Exception | None = None) -> None:
        self.fetched = 0
        self._error = error

    def fetch(self, into: Path) -> Sequence[Path]:
        self.fetched += 1
        files = [into / "b.jar", into / "a.jar"]
        for file in files:
            file.write_text(file.name)
        if self._error is not None:
            raise self._error
        return files


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("TRUEUP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def toy(source: Source, said: list[str] | None = None) -> list[Path]:
    return cached("toy-1", source.fetch, what="Toy 1", say=([] if said is None else said).append)


def test_what_was_fetched_once_is_not_fetched_again(cache: Path) -> None:
    """The second call gives the same files in the same order, and says nothing."""
    source, first, second = Source(), list[str](), list[str]()
    files = toy(source, first)
    assert [file.name for file in files] == ["b.jar", "a.jar"]
    assert toy(source, second) == files
    assert source.fetched == 1
    assert first == [f"Downloading Toy 1 into {cache} (once)"]
    assert second == []


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_text("")], ids=["missing", "cut short"])
def test_a_damaged_cache_is_fetched_again(damage: object) -> None:
    """A file that is missing or has another size does not reach the class path."""
    source = Source()
    _, a = toy(source)
    assert callable(damage)
    damage(a)
    toy(source)
    assert source.fetched == 2
    assert a.read_text() == "a.jar"


@pytest.mark.parametrize(
    "error",
    [OSError("no route to host"), RuntimeError("not found"), zipfile.BadZipFile("no zip"), SyntaxError("no XML")],
    ids=["network", "missing", "damaged", "a proxy's page"],
)
def test_a_failed_download_is_one_sentence_and_leaves_nothing(cache: Path, error: Exception) -> None:
    """What, where, why, and what to do; the next try starts from nothing."""
    with pytest.raises(DownloadFailed, match=f"Toy 1 could not be downloaded into {cache}. Check .* cause: {error}"):
        toy(Source(error))
    assert [path.name for path in cache.iterdir()] == ["lock"]
    assert len(toy(Source())) == 2


def test_what_a_killed_download_left_is_cleared_away(cache: Path) -> None:
    """Half downloads do not pile up."""
    (cache / "incoming-x").mkdir(parents=True)
    toy(Source())
    assert not (cache / "incoming-x").exists()


def test_two_at_once_fetch_once() -> None:
    """The one that comes second waits, says so, and takes what the first one fetched."""
    arrived, leave = threading.Event(), threading.Event()

    class SlowSource(Source):
        def fetch(self, into: Path) -> Sequence[Path]:
            arrived.set()
            assert leave.wait(timeout=10)
            return super().fetch(into)

    class Waiting(list[str]):
        def append(self, line: str) -> None:
            super().append(line)
            leave.set()

    slow, quick, said = SlowSource(), Source(), Waiting()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(toy, slow)
        assert arrived.wait(timeout=10)
        second = pool.submit(toy, quick, said)
        assert first.result(timeout=10) == second.result(timeout=10)
    assert (slow.fetched, quick.fetched) == (1, 0)
    assert "Another process is downloading" in said[0]


def test_the_cache_is_the_users_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """TRUEUP_CACHE, else XDG_CACHE_HOME, else ~/.cache."""
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    monkeypatch.setenv("TRUEUP_CACHE", "~/mine")
    assert cache_folder() == Path("/home/ada/mine")
    monkeypatch.delenv("TRUEUP_CACHE")
    assert cache_folder() == Path("/caches/trueup")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/home/ada/.cache/trueup")
