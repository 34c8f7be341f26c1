"""Loopback ports that nobody listens on."""

import random
import socket

HOST = "127.0.0.1"

# Below the ranges from which Linux (32768 and up) and macOS (49152 and up) hand ports to outgoing connections. From
# within them, a client that keeps trying to reach a server that is down can be given the server's own port, connect to
# itself, and keep the server from coming back.
_FIRST, _LAST = 20_000, 32_000
_TRIES = 100


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that were free a moment ago; another process may still take one first."""
    # Which port it is must differ from process to process, whatever seed a program or a test has set.
    candidates = random.SystemRandom().sample(range(_FIRST, _LAST), _TRIES)
    found = [port for port in candidates if is_free(port)]
    if len(found) < count:
        raise OSError(f"only {len(found)} of {_TRIES} ports tried between {_FIRST} and {_LAST} on {HOST} are free")
    return found[:count]


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: a port with connections that are still winding down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def is_listening(port: int) -> bool:
    """Tell whether something accepts connections on this loopback port now."""
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True
