"""Redis (or Valkey) with its append-only file on: what is installed, else what a jar brings along."""

import hashlib
import platform
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import redis

from trueup.embedded.downloads import cached
from trueup.embedded.errors import DownloadFailed
from trueup.embedded.ports import HOST, is_listening

_OLDEST = (6, 2)

_JAR_VERSION = "1.4.3"
_JAR = f"com.github.codemonstur:embedded-redis:{_JAR_VERSION}"
_JAR_SHA256 = "ffbc63265c60d25dee453d6f656b527d98200d98657c6a0ab4dec4ea2c3a5cd6"
_IN_JAR = {
    ("Linux", "x86_64"): "redis-server-6.2.6-v5-linux-amd64",
    ("Linux", "aarch64"): "redis-server-6.2.7-linux-arm64",
    ("Darwin", "x86_64"): "redis-server-6.2.6-v5-darwin-amd64",
    ("Darwin", "arm64"): "redis-server-6.2.6-v5-darwin-arm64",
}
_INSTALL = "Install redis-server or valkey-server (6.2 or newer) so that it is on the PATH, then start again."


def redis_program(say: Callable[[str], None]) -> Path:
    """Return a Redis server that runs here: the one on the PATH, or one from the cache, downloaded where it is missing.

    Raises:
        DownloadFailed: there is none for this machine, it could not be had, or it does not run here.
    """
    for name in ("redis-server", "valkey-server"):
        installed = shutil.which(name)
        if installed is not None and (_version(Path(installed)) or (0, 0)) >= _OLDEST:
            return Path(installed)
    machine = (platform.system(), platform.machine())
    if machine not in _IN_JAR:
        raise DownloadFailed(f"there is no Redis to download for {' on '.join(machine)}. {_INSTALL}")
    [program] = cached(f"redis-{_JAR_VERSION}", _fetch, what="Redis (12 MB)", say=say)
    if _version(program) is None:
        raise DownloadFailed(
            f"the Redis that was downloaded, {program}, does not run on this machine (it needs OpenSSL 3). {_INSTALL}"
        )
    return program


def redis_command(program: Path, *, port: int, more: Mapping[str, str] | None = None) -> list[str]:
    """Return the command line of a server that keeps its data in its working directory; `more` are further options."""
    options = {
        "bind": HOST,
        "port": str(port),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        **(more or {}),
    }
    return [str(program), *(word for name, value in options.items() for word in (f"--{name}", value))]


def redis_answers(folder: Path, port: int) -> bool:
    """Tell whether the Redis of this folder, and no other, answers on the port with its data loaded."""
    if not is_listening(port):
        return False
    with redis.Redis(host=HOST, port=port, socket_timeout=2.0, decode_responses=True) as client:
        try:
            return bool(client.ping()) and Path(client.config_get("dir")["dir"]) == folder.resolve()
        except redis.RedisError:
            return False


def _fetch(into: Path) -> Sequence[Path]:
    from trueup.embedded import maven

    jar = maven.download_alone(_JAR, into)
    # A program is taken from it and run: it has to be the very jar that was looked at.
    if hashlib.sha256(jar.read_bytes()).hexdigest() != _JAR_SHA256:
        raise ValueError(f"{jar.name} is not the file it should be (SHA-256 differs)")
    program = into / "redis-server"
    with zipfile.ZipFile(jar) as archive:
        program.write_bytes(archive.read(_IN_JAR[platform.system(), platform.machine()]))
    program.chmod(0o755)
    return [program]


def _version(program: Path) -> tuple[int, int] | None:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return None if found is None else (int(found[1]), int(found[2]))
