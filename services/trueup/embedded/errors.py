"""What can go wrong with the embedded servers.

EmbeddedError
├── DownloadFailed   nothing was started: mend the network or the installation, then start again
├── FolderInUse      another stack runs on this folder: use that one, stop it, or take another folder
└── ServerFailed     a server did not start, or did not answer in time: its log says why
"""

from trueup.errors import TrueupError


class EmbeddedError(TrueupError):
    """Root of everything `trueup.embedded` raises; its message is meant for the person at the terminal."""


class DownloadFailed(EmbeddedError):
    """A server's program could not be had, or does not run on this machine."""


class FolderInUse(EmbeddedError):
    """The folder belongs to a stack that is alive."""


class ServerFailed(EmbeddedError):
    """A server ended by itself, or did not answer before the deadline."""
