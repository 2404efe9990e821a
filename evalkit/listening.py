"""A socket for a server on this machine, or one clear line why there is none."""

import socket

from evalkit.errors import InfrastructureError


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. InfrastructureError if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's delay of 40 ms in every reply.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise InfrastructureError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another port, or 0 for any free one"
        ) from error
    return listener
