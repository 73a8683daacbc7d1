"""Webhooks over TLS: only at those who can prove the name that was called."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airy_ray.cluster.webhook_calls import WebhookCalls
from airy_ray.publishing.schedule import Answer

HOST = ip_address("127.0.0.1")
OTHER = ip_address("127.0.0.2")


def certified(directory: Path, *, days: int = 1) -> Path:
    """Return a file with a key, and a certificate of it for one address; both signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    until = datetime.now(UTC) + timedelta(days=days)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(until - timedelta(days=30)).not_valid_after(until)
    built = built.add_extension(x509.SubjectAlternativeName([x509.IPAddress(HOST)]), critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    file = directory / "receiver.pem"
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain) + made)
    return file


@contextmanager
def listening(file: Path) -> Iterator[int]:
    """Answer 200 to one call over TLS, at any address of this machine; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with socket.create_server(("", 0)) as server:

        def answer() -> None:
            with suppress(OSError):  # who does not trust us goes away
                connection, _ = server.accept()
                with connection, context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1 << 16)
                    secured.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

        thread = Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def posted(url: str, trusted: Path | None, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Call somebody, as if all trusted this certificate if one is told."""
    if trusted is not None:
        context = ssl.create_default_context(cafile=str(trusted))
        monkeypatch.setattr("airy_ray.cluster.webhook_calls.trust", lambda: context)

    async def main() -> Answer:
        calls = WebhookCalls(allow_private_networks=True)
        try:
            return await calls.post(url, {}, b"{}")
        finally:
            await calls.close()

    return asyncio.run(main())


def test_who_proves_the_name_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = certified(tmp_path)
    with listening(file) as port:
        assert posted(f"https://{HOST}:{port}/", file, monkeypatch) == Answer(200, body=b"ok")


@pytest.mark.parametrize(
    ("host", "days", "is_trusted", "reason"),
    [
        pytest.param(HOST, 1, False, "self-signed certificate", id="whom nobody vouches for"),
        pytest.param(OTHER, 1, True, "IP address mismatch", id="who has another name"),
        pytest.param(HOST, -1, True, "certificate has expired", id="whose certificate is old"),
    ],
)
def test_nobody_else_is_called_and_the_attempt_says_why(
    host: object,
    days: int,
    is_trusted: bool,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = certified(tmp_path, days=days)
    with listening(file) as port:
        answer = posted(f"https://{host}:{port}/", file if is_trusted else None, monkeypatch)

    assert answer.status is None
    assert reason in answer.error
