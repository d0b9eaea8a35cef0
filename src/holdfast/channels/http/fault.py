"""Why there is no whole answer: cause, code, and whether the partner may have the request.

The client says in words in which phase it failed; "Connect" means that nothing was written.
Anything we do not know counts as possibly received: a wrong "in doubt" costs a look, a wrong
"surely not" costs a duplicate.
"""

import errno
import re
from typing import Final, NamedTuple

from pyreqwest.exceptions import (
    ClientClosedError,
    DecodeError,
    DetailedPyreqwestError,
    RequestTimeoutError,
)

from holdfast.errors import HoldfastError
from holdfast.model.attempt import FailureClass


class Fault(NamedTuple):
    """What becomes the error fields of a reply. The message is ours: the client's holds the URL."""

    error: FailureClass
    code: str
    message: str
    maybe_received: bool


UNFIT: Final = frozenset(
    {
        "HEADER_VALUE_REFUSED",
        "PAYLOAD_NOT_JSON",
        "PAYLOAD_NOT_OBJECT",
        "PAYLOAD_TOO_DEEP",
        "TEMPLATE_FIELD_MISSING",
        "URL_VALUE_REFUSED",
    }
)
"""Codes of payloads that do not fit their endpoint: other payloads may, so the lane goes on."""


class Unsendable(HoldfastError):
    """This request cannot go out: nothing was written. It never leaves the channel.

    Args:
        code: the reply's `error_code`.
        message: the reply's `error_message`; never holds a secret.
        error: the reply's `error`; default: `data` for `UNFIT` codes, else `configuration`.
    """

    def __init__(self, code: str, message: str, error: FailureClass | None = None) -> None:
        super().__init__(message)
        ours = FailureClass.DATA if code in UNFIT else FailureClass.CONFIGURATION
        self.fault = _unsent(error or ours, code, message)


_OS_ERROR: Final = re.compile(r"\(os error (\d+)\)")
_CONNECT: Final = "client error (Connect)"
_ALERT: Final = "received fatal alert"

_CONNECT_MARKS: Final = (
    (FailureClass.TLS, "certificate expired", "CERTIFICATE_EXPIRED", "the certificate has expired"),
    (FailureClass.TLS, "not valid yet", "CERTIFICATE_NOT_YET_VALID", "the certificate is too new"),
    (FailureClass.TLS, "not valid for name", "CERTIFICATE_NAME_MISMATCH", "it is another's name"),
    (FailureClass.TLS, "UnknownIssuer", "CERTIFICATE_UNKNOWN_ISSUER", "its issuer is not trusted"),
    (FailureClass.TLS, "Revoked", "CERTIFICATE_REVOKED", "the certificate is revoked"),
    (FailureClass.TLS, "peer certificate", "CERTIFICATE_INVALID", "the certificate is not valid"),
    (FailureClass.TLS, _ALERT, "TLS_ALERT", "the partner ended the handshake"),
    (FailureClass.TLS, "tls handshake", "TLS_HANDSHAKE", "the TLS handshake failed"),
    (FailureClass.TLS, "corrupt message", "TLS_HANDSHAKE", "the partner does not speak TLS"),
    (FailureClass.TLS, "peer is incompatible", "TLS_HANDSHAKE", "no common TLS version or cipher"),
    (FailureClass.TLS, "peer misbehaved", "TLS_HANDSHAKE", "the partner breaks TLS"),
    (FailureClass.CONNECT, "tunnel", "PROXY_REFUSED", "the proxy opened no tunnel"),
    (FailureClass.DNS, "dns error", "EAI_NONAME", "the proxy's name does not resolve"),
)
"""What the client's words mean while it connects. Only a proxy's name is its to resolve."""

_WORDS: Final = {
    "ECONNREFUSED": "refused",
    "ECONNRESET": "reset",
    "EHOSTUNREACH": "host unreachable",
    "ENETUNREACH": "network unreachable",
}


def send_fault(error: DetailedPyreqwestError) -> Fault:
    """Say what a failure before the status line means."""
    causes = _causes(error)
    if _CONNECT in causes:
        return _connect_fault(causes, late=isinstance(error, RequestTimeoutError))
    if isinstance(error, ClientClosedError):
        return _in_doubt(FailureClass.CANCELLED, "CHANNEL_CLOSED", "the channel was closed")
    if isinstance(error, RequestTimeoutError):
        return _in_doubt(FailureClass.TIMEOUT, "ETIMEDOUT", "no answer in time")
    if isinstance(error, DecodeError):
        return _in_doubt(FailureClass.PROTOCOL, "ANSWER_INVALID", "the answer is not valid HTTP")
    if _ALERT in causes:
        # TLS 1.3 lets the partner refuse our certificate after we have finished; until it has
        # accepted it, no partner reads requests.
        return _unsent(FailureClass.TLS, "TLS_ALERT", "the partner refused our certificate")
    code = _os_code(causes) or "ECONNRESET"
    return _in_doubt(FailureClass.CONNECT, code, "the connection ended without an answer")


def body_fault(error: DetailedPyreqwestError) -> Fault:
    """Say what a failure after the status line means."""
    if isinstance(error, RequestTimeoutError):
        return _in_doubt(FailureClass.TIMEOUT, "ETIMEDOUT", "the answer did not end in time")
    if isinstance(error, ClientClosedError):
        return _in_doubt(FailureClass.CANCELLED, "CHANNEL_CLOSED", "the channel was closed")
    causes = _causes(error)
    code = _os_code(causes)
    if code is not None or "end of file" in causes:
        words = "the connection ended inside the answer"
        return _in_doubt(FailureClass.PROTOCOL, code or "BODY_INCOMPLETE", words)
    return _in_doubt(FailureClass.PROTOCOL, "BODY_INVALID", "the answer's body is not valid")


def _connect_fault(causes: str, *, late: bool) -> Fault:
    code = _os_code(causes)
    if late or code == "ETIMEDOUT":
        return _unsent(FailureClass.TIMEOUT, "ETIMEDOUT", "no connection in time")
    if code is not None:
        words = f"no connection: {_WORDS.get(code, code)}"
        return _unsent(FailureClass.CONNECT, code, words)
    for kind, mark, word, message in _CONNECT_MARKS:
        if mark in causes:
            return _unsent(kind, word, message)
    return _unsent(FailureClass.CONNECT, "ECONNABORTED", "no connection")


def _unsent(error: FailureClass, code: str, message: str) -> Fault:
    return Fault(error, code, message, maybe_received=False)


def _in_doubt(error: FailureClass, code: str, message: str) -> Fault:
    return Fault(error, code, message, maybe_received=True)


def _causes(error: DetailedPyreqwestError) -> str:
    return "\n".join(cause["message"] for cause in error.details.get("causes") or ())


def _os_code(causes: str) -> str | None:
    match = _OS_ERROR.search(causes)
    return errno.errorcode.get(int(match[1]), f"errno {match[1]}") if match else None
