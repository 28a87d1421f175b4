"""Encrypted connections: they work with a certificate that is trusted, and with no other."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import threading

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from gmail_dovecot import free_port
from gmail_house import settings_for
from gmail_smtp import SmtpSink

from aie.errors import ConfigError
from aie_gmail.connecting import try_imap, try_smtp


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and a certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "aie test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, plain) + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def server_context(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def imaps(dovecot, certificate):
    """The port of a TLS server that passes everything on to Dovecot."""
    server = socket.create_server(("127.0.0.1", 0))
    context = server_context(certificate)

    def pump(source, sink):
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()

    def serve():
        while True:
            try:
                raw, _ = server.accept()
            except OSError:
                return
            try:
                client = context.wrap_socket(raw, server_side=True)
            except OSError:
                continue
            behind = socket.create_connection(("127.0.0.1", dovecot.port))
            for pair in ((client, behind), (behind, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


@pytest.fixture(params=["tls", "starttls"])
def smtps(request, certificate):
    """Settings for a server that speaks TLS, from the first byte or from STARTTLS on."""
    sink = SmtpSink()
    first = {"ssl_context": server_context(certificate)} if request.param == "tls" else {}
    later = (
        {"tls_context": server_context(certificate), "require_starttls": True} if request.param == "starttls" else {}
    )
    port = free_port()
    server = Controller(
        sink,
        hostname="127.0.0.1",
        port=port,
        authenticator=sink._authenticate,
        auth_require_tls=False,
        **first,
        **later,
    )
    server.start()
    yield {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": request.param}
    server.stop()


def test_imap_over_tls(dovecot, imaps, trusted):
    asyncio.run(try_imap(settings_for(dovecot, imap_port=imaps, imap_security="tls"), "secret"))


def test_smtp_over_tls(smtps, trusted):
    asyncio.run(try_smtp(settings_for(**smtps), "secret"))


def test_an_imap_certificate_nobody_vouches_for_is_refused(dovecot, imaps):
    with pytest.raises(ConfigError, match="the certificate of the mail server is not to be trusted: self-signed"):
        asyncio.run(try_imap(settings_for(dovecot, imap_port=imaps, imap_security="tls"), "secret"))


def test_an_smtp_certificate_nobody_vouches_for_is_refused(smtps):
    with pytest.raises(ConfigError, match="the certificate of the mail server is not to be trusted"):
        asyncio.run(try_smtp(settings_for(**smtps), "secret"))


def test_a_port_without_tls_says_so(dovecot):
    with pytest.raises(ConfigError, match="does not speak TLS on that port"):
        asyncio.run(try_imap(settings_for(dovecot, imap_security="tls"), "secret"))
    with SmtpSink() as sink, pytest.raises(ConfigError, match="does not speak TLS on that port"):
        asyncio.run(try_smtp(settings_for(**{**sink.settings, "smtp_security": "tls"}), "secret"))


def test_a_password_is_not_sent_where_encryption_was_asked_for_and_is_not_offered():
    with SmtpSink() as sink:
        with pytest.raises(ConfigError, match=r"(?i)starttls"):
            asyncio.run(try_smtp(settings_for(**{**sink.settings, "smtp_security": "starttls"}), "secret"))
        assert sink.logins == []
