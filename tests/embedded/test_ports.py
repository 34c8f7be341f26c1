"""Ports: free ones, away from where the system takes ports for outgoing connections."""

import socket

from trueup.embedded.ports import HOST, free_ports, is_free, is_listening


def test_free_ports_are_different_free_and_not_handed_to_outgoing_connections() -> None:
    """Linux hands out 32768 and up, macOS 49152 and up."""
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(is_free(port) and 1024 < port < 32_768 for port in ports)


def test_a_port_somebody_listens_on_is_not_free() -> None:
    """It is free again when the listener has gone."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        assert is_listening(port)
        assert not is_free(port)
    assert not is_listening(port)
    assert is_free(port)
