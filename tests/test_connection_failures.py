"""Why there is no connection to another system."""

import errno
import socket
import ssl

import httpx
import pytest

from app.connection_failures import explain_no_connection

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "the name of the host is not known"),
        (REFUSED, "the host refuses connections at this port"),
        (ExceptionGroup("of each address", [REFUSED, REFUSED]), "the host refuses connections at this port"),
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), "TLS failed"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "check the URL, DNS, firewall and certificates"),
    ],
)
def test_causes_are_told_apart(cause: Exception, words: str) -> None:
    """A wrong host and a wrong port are looked for at different places."""
    between = OSError("All connection attempts failed")
    between.__cause__ = cause
    error = httpx.ConnectError("All connection attempts failed")
    error.__cause__ = between

    assert explain_no_connection(error).startswith(words)
