"""The programs of the servers, kept in one cache per user.

CACHE/lock                     held while something is being downloaded
CACHE/kafka-4.3.1/*.jar        complete, or not there at all: a folder is filled elsewhere and then renamed
CACHE/kafka-4.3.1/files.json   names in class path order, and sizes: all that a later start looks at
CACHE/redis-1.4.3/...
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from trueup.embedded.errors import DownloadFailed

Say = Callable[[str], None]
Fetch = Callable[[Path], Sequence[Path]]

# What jgo and the network raise when something cannot be had: no connection, a status other than 200, a page of a proxy
# that is no XML, half a file.
FETCH_ERRORS = (OSError, RuntimeError, ValueError, SyntaxError, zipfile.BadZipFile)

_FILES = "files.json"


def cache_folder() -> Path:
    """Return where downloads are kept: `TRUEUP_CACHE`, or `trueup` in the user's cache folder."""
    if chosen := os.environ.get("TRUEUP_CACHE"):
        return Path(chosen).expanduser().absolute()
    if user_caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(user_caches) / "trueup"
    return Path.home() / ".cache" / "trueup"


def cached(name: str, fetch: Fetch, *, what: str, say: Say) -> list[Path]:
    """Return the files of `name` from the cache, in order; fetch them first where any is missing or of another size.

    `fetch` is given an empty folder that is thrown away afterwards, and returns the files worth keeping. Safe to call
    from several processes at once: one fetches, the others wait for it.

    Raises:
        DownloadFailed: `fetch` raised one of `FETCH_ERRORS`.
    """
    cache = cache_folder()
    folder = cache / name
    if files := _complete(folder):
        return files
    try:
        with _locked(cache, say):
            if files := _complete(folder):
                return files
            say(f"Downloading {what} into {cache} (once)")
            with tempfile.TemporaryDirectory(prefix="incoming-", dir=cache) as incoming:
                kept = Path(incoming) / "kept"
                _keep(fetch(Path(incoming)), kept)
                shutil.rmtree(folder, ignore_errors=True)
                kept.rename(folder)
    except FETCH_ERRORS as error:
        raise DownloadFailed(
            f"{what} could not be downloaded into {cache}. Check the network (a proxy comes from HTTPS_PROXY) and the "
            "space on the disk, then start again; or set TRUEUP_CACHE to a copy of this folder from a machine where it "
            f"worked. The cause: {error or type(error).__name__}"
        ) from error
    return _complete(folder)


def _complete(folder: Path) -> list[Path]:
    try:
        stored = [(folder / name, size) for name, size in json.loads((folder / _FILES).read_text())]
        return [path for path, _ in stored] if all(path.stat().st_size == size for path, size in stored) else []
    except (OSError, ValueError, TypeError):
        return []


def _keep(files: Sequence[Path], folder: Path) -> None:
    folder.mkdir()
    listed = []
    for file in files:
        file.rename(folder / file.name)
        listed.append((file.name, (folder / file.name).stat().st_size))
    (folder / _FILES).write_text(json.dumps(listed))


@contextlib.contextmanager
def _locked(cache: Path, say: Say) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another process is downloading into {cache}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # Nobody else is here: what a download that was killed left behind is rubbish.
        for left in cache.glob("incoming-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
