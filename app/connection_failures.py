"""Why there is no connection to another system, in words that say what to look at."""

import errno
import socket
import ssl
from typing import Final

__all__ = ["explain_no_connection"]

_MAX_CAUSES: Final = 10
_OTHERWISE: Final = "check the URL, DNS, firewall and certificates"


def explain_no_connection(error: BaseException) -> str:
    """Say why a connection failed, by the error of the system that a client's error has as its cause."""
    cause: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        match cause:
            case None:
                break
            case socket.gaierror():
                return "the name of the host is not known; check the URL and DNS"
            case ssl.SSLError():
                return "TLS failed; check the certificate, and whether its authority is trusted here"
            case OSError(errno=errno.ECONNREFUSED):
                return "the host refuses connections at this port; check the URL, and whether the system runs"
            case BaseExceptionGroup():  # one for each address of the host
                cause = cause.exceptions[0]
            case _:
                cause = cause.__cause__ or cause.__context__
    return _OTHERWISE
