"""The one place that makes a TLS context. The server's certificate is always verified, its name unless told not to."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from trueup.errors import InvalidSettings


@dataclass(frozen=True, slots=True)
class Files:
    """What a context is made from; `section` is where the settings are, for messages. No CA: those of the system."""

    section: str
    ca: Path | None
    certificate: Path | None
    key: Path | None


def readable(files: Files) -> None:
    """Look whether the files are there.

    Raises:
        InvalidSettings: naming the one that cannot be read.
    """
    for setting, file in (("ca_file", files.ca), ("certificate_file", files.certificate), ("key_file", files.key)):
        try:
            if file is not None:
                file.read_bytes()
        except OSError as error:
            raise InvalidSettings(f"{files.section}.{setting}: {file} cannot be read ({error.strerror})") from error


def tls_context(files: Files, *, key_password: str | None, verify_hostname: bool) -> ssl.SSLContext:
    """A context of a client, with its own certificate where there is one.

    Raises:
        InvalidSettings: a file is missing, is no PEM, or the key does not open or does not fit the certificate.
    """
    readable(files)
    try:
        context = ssl.create_default_context(cafile=files.ca)
    except ssl.SSLError as error:
        raise InvalidSettings(f"{files.section}.ca_file: {files.ca} holds no certificate in PEM form") from error
    context.check_hostname = verify_hostname
    if files.certificate is not None:
        try:
            # An empty password, not None: OpenSSL would ask the terminal.
            context.load_cert_chain(files.certificate, files.key, password=key_password or "")
        except (ssl.SSLError, ValueError) as error:
            raise InvalidSettings(
                f"{files.section}.certificate_file: {files.certificate} and its key cannot be used: both have to be in "
                "PEM form and belong together, and a key that is encrypted needs key_password"
            ) from error
    return context
