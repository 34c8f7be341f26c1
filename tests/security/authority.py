"""Certificates for one test session: an authority, a server, and clients that go by a name."""

from __future__ import annotations

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


class Authority:
    """Signs certificates, each in a file of its own with its key."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def certificate(self, *names: str, common_name: str, key_password: str | None = None) -> Path:
        """For a server at these names, or a client known by its common name; Java wants the key in PKCS#8."""
        made = self._ca.issue_cert(*(names or (f"{common_name}.client",)), common_name=common_name)
        key = load_pem_private_key(made.private_key_pem.bytes(), password=None)
        how: KeySerializationEncryption = NoEncryption()
        if key_password is not None:
            how = BestAvailableEncryption(key_password.encode())
        file = self._folder / f"{common_name}.pem"
        chain = b"".join(part.bytes() for part in made.cert_chain_pems)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how) + chain)
        return file
