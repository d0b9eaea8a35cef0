"""TLS: whom we trust, who we are, and what it is called when that fails."""

import datetime as dt
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from holdfast.model.attempt import FailureClass, Reply
from holdfast.testing.partner import Close, Partner, answer

Send = Callable[..., Awaitable[Reply]]
PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
FUTURE = dt.datetime(2090, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    """Return the authority that the partners' certificates are from."""
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    """Return the path of its certificate."""
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return str(path)


@contextmanager
def secure(
    certificate: trustme.LeafCert,
    clients: trustme.CA | None = None,
    newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
) -> Iterator[Partner]:
    """Yield a partner with this certificate; `clients` must have one from that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.maximum_version = newest
    if clients is not None:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    with Partner(lambda _: [answer(200, b"ok")], tls=context) as partner:
        yield partner


async def test_a_trusted_certificate_is_accepted(send: Send, ca: trustme.CA, ca_file: str) -> None:
    """An authority of the endpoint's own is trusted besides the system's."""
    with secure(ca.issue_cert("127.0.0.1")) as partner:
        reply = await send(partner, ca_certificate=ca_file)
    assert (reply.status, reply.body, reply.error) == (200, b"ok", None)


@pytest.mark.parametrize(
    ("code", "name", "times"),
    [
        ("CERTIFICATE_NAME_MISMATCH", "127.0.0.2", {}),
        ("CERTIFICATE_EXPIRED", "127.0.0.1", {"not_after": PAST}),
        ("CERTIFICATE_NOT_YET_VALID", "127.0.0.1", {"not_before": FUTURE, "not_after": FUTURE}),
    ],
)
async def test_bad_certificates_are_named(
    send: Send, ca: trustme.CA, ca_file: str, *, code: str, name: str, times: dict[str, Any]
) -> None:
    """Expired, too new and for another name: class TLS, a code, nothing sent."""
    with secure(ca.issue_cert(name, **times)) as partner:
        reply = await send(partner, ca_certificate=ca_file)
    assert (reply.error, reply.error_code) == (FailureClass.TLS, code)
    assert not reply.maybe_received
    assert partner.seen == []


async def test_unknown_authorities_are_refused(send: Send, ca: trustme.CA) -> None:
    """Without the endpoint's word, only the system's authorities count."""
    with secure(ca.issue_cert("127.0.0.1")) as partner:
        reply = await send(partner)
    assert (reply.error, reply.error_code) == (FailureClass.TLS, "CERTIFICATE_UNKNOWN_ISSUER")


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_client_certificates(
    send: Send, ca: trustme.CA, ca_file: str, tmp_path: Path, newest: ssl.TLSVersion
) -> None:
    """With the right certificate it works; without one nothing is processed."""
    path = tmp_path / "client.pem"
    ca.issue_cert("client@holdfast.example").private_key_and_cert_chain_pem.write_to_path(path)
    with secure(ca.issue_cert("127.0.0.1"), ca, newest) as partner:
        good = await send(partner, ca_certificate=ca_file, client_certificate=str(path))
        bad = await send(partner, ca_certificate=ca_file)
    assert (good.status, good.error) == (200, None)
    assert bad.error in {FailureClass.TLS, FailureClass.CONNECT}
    assert bad.status is None
    assert len(partner.seen) == 1


async def test_a_renewed_client_certificate_is_used_without_a_restart(
    send: Send, ca: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    """Certificate files are read again when the name is looked up again."""
    path = tmp_path / "client.pem"
    strange = trustme.CA().issue_cert("client@holdfast.example")
    strange.private_key_and_cert_chain_pem.write_to_path(path)
    newest = ssl.TLSVersion.TLSv1_2
    with secure(ca.issue_cert("127.0.0.1"), ca, newest) as partner:
        fields = {"ca_certificate": ca_file, "client_certificate": str(path)}
        assert (await send(partner, **fields)).error is not None
        ca.issue_cert("client@holdfast.example").private_key_and_cert_chain_pem.write_to_path(path)
        assert (await send(partner, **fields)).status == 200


@pytest.mark.parametrize("field", ["ca_certificate", "client_certificate"])
async def test_missing_certificate_files_are_named(send: Send, tmp_path: Path, field: str) -> None:
    """A file that is not there is our configuration's fault; the reply names field and path."""
    path = str(tmp_path / "gone.pem")
    reply = await send("https://127.0.0.1:1/", **{field: path})
    assert (reply.error, reply.error_code) == (
        FailureClass.CONFIGURATION,
        "CERTIFICATE_UNREADABLE",
    )
    assert reply.error_message == f"{field}: {path}: No such file or directory"


async def test_a_useless_client_certificate_is_a_configuration_error(
    send: Send, tmp_path: Path
) -> None:
    """What is no certificate with key is refused before anything is sent."""
    path = tmp_path / "client.pem"
    path.write_text("hello")
    reply = await send("https://127.0.0.1:1/", client_certificate=str(path))
    assert (reply.error, reply.error_code) == (FailureClass.CONFIGURATION, "ENDPOINT_UNUSABLE")


async def test_a_partner_without_tls(send: Send) -> None:
    """HTTPS to a plain port is a TLS error, not a mystery."""
    with Partner(greet=[b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as partner:
        reply = await send(partner.url.replace("http:", "https:"))
    assert (reply.error, reply.error_code) == (FailureClass.TLS, "TLS_HANDSHAKE")
    assert not reply.maybe_received


async def test_a_partner_that_closes_in_the_handshake(send: Send) -> None:
    """The connection ends before TLS is agreed: nothing was sent."""
    with Partner(greet=[Close()]) as partner:
        reply = await send(partner.url.replace("http:", "https:"))
    assert reply.error in {FailureClass.TLS, FailureClass.CONNECT}
    assert not reply.maybe_received
