"""A secret from the settings, or from a file that somebody else keeps, such as one that Kubernetes mounts."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from trueup.errors import InvalidSettings


def one_of(setting: str, given: SecretStr | None, file: Path | None) -> None:
    """Validate the pair `setting` and `setting_file`.

    Raises:
        ValueError: both are there, or the secret is empty.
    """
    if given is not None and file is not None:
        raise ValueError(f"{setting} and {setting}_file are both there: leave one of them out")
    if given is not None and not given.get_secret_value():
        raise ValueError(f"{setting} is empty")


def revealed(given: SecretStr | None, file: Path | None, *, setting: str) -> str | None:
    """The secret itself; None where there is none. A file is read anew each time, without the end of its last line.

    Raises:
        InvalidSettings: the file cannot be read, is no text, or is empty.
    """
    if given is not None:
        return given.get_secret_value()
    return None if file is None else in_file(file, setting=f"{setting}_file")


def in_file(file: Path, *, setting: str) -> str:
    """What a file with a secret holds, without the end of its last line.

    Raises:
        InvalidSettings: it cannot be read, is no text, or is empty.
    """
    try:
        found = file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise InvalidSettings(f"{setting}: {file} cannot be read ({error.strerror})") from error
    except ValueError:
        # The bytes themselves are in that error.
        raise InvalidSettings(f"{setting}: {file} is no text in UTF-8") from None
    if not found:
        raise InvalidSettings(f"{setting}: {file} is empty")
    return found
