"""Jars from the resolver's default repositories, through jgo's pure-Python resolver: no Maven, no Java.

Into a folder of the caller's choosing, never into the user's own repository. Nothing here knows what the jars are for.
"""

import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.maven import Artifact, MavenContext, MavenVersion, PythonResolver

from trueup.embedded.downloads import FETCH_ERRORS

_TRIES = 3
_TIMEOUT_S = 30
_PARALLEL = 8
_REPORT_EVERY = 10


class _PatientResolver(PythonResolver):
    """Tries a download again, and leaves no half a file behind when it fails."""

    def download(self, artifact: Artifact) -> Path | None:
        for tries_left in reversed(range(_TRIES)):
            try:
                return super().download(artifact)
            except FETCH_ERRORS:
                if artifact.cached_path is not None:
                    artifact.cached_path.unlink(missing_ok=True)
                if tries_left == 0:
                    raise
                time.sleep(1.0)
        raise AssertionError("unreachable")


def download(coordinates: Sequence[str], into: Path, *, say: Callable[[str], None]) -> list[Path]:
    """Download the artifacts `group:name:version` and all they need to run; return every jar, the named ones first.

    Raises:
        FETCH_ERRORS: something could not be had, or came damaged.
    """
    context = _context(into)
    named, needed = context.resolver.resolve([context.create_dependency(coordinate) for coordinate in coordinates])
    artifacts = [dependency.artifact for dependency in [*named, *needed]]
    jars = []
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for jar in pool.map(_download_one, artifacts):
            jars.append(jar)
            if len(jars) % _REPORT_EVERY == 0 or len(jars) == len(artifacts):
                say(f"  {len(jars)} of {len(artifacts)} files")
    return jars


def download_alone(coordinate: str, into: Path) -> Path:
    """Download the jar `group:name:version` without what it needs.

    Raises:
        FETCH_ERRORS: it could not be had, or came damaged.
    """
    return _download_one(_context(into).create_dependency(coordinate).artifact)


def newest(project: str, into: Path, *, major: int) -> str | None:
    """Return the newest released version of `group:name` with this major version; None where there is none."""
    group, name = project.split(":")
    listing = _context(into).project(group, name)
    listing.update()
    versions = [component.version for component in listing.versions()]
    released = [v for v in versions if v.startswith(f"{major}.") and v.replace(".", "").isdecimal()]
    return max(released, key=MavenVersion, default=None)


def _context(into: Path) -> MavenContext:
    return MavenContext(resolver=_PatientResolver(), repo_cache=into, timeout=_TIMEOUT_S)


def _download_one(artifact: Artifact) -> Path:
    jar = artifact.resolve()
    with zipfile.ZipFile(jar) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"{jar.name} is damaged at {damaged}")
    return jar
