"""What goes over the wire: whose certificates are believed, whose word on addresses, and where a request ends."""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core.errors import Fault
from core.http import HttpDoor
from tests.house.source import ROOT
from tests.integration.conftest import settings_of_tests

NEAR = ("127.0.0.0/8",)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def make_certificate(folder: Path, address: str = "127.0.0.1") -> Path:
    """A certificate that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    built = built.add_extension(names, False).add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{address}.pem"
    path.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + private)
    return path


def read_request(connection: socket.socket) -> bytes:
    """A whole request, its body included: to close with something unread would break the connection."""
    request, end = b"", b""
    while not end or not request.endswith(end):
        chunk = connection.recv(65536)
        if not chunk:
            break
        request += chunk
        end = b"\r\n\r\n" if request.startswith(b"GET") else b"}"
    return request


@contextmanager
def serve(certificate: Path, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Iterator[tuple[str, list[bytes]]]:
    """An HTTPS server's URL, and what it could read of requests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, newest
    context.load_cert_chain(certificate)
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                    heard.append(read_request(secure))
                    secure.sendall(ANSWER)

    threading.Thread(target=accept, daemon=True).start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}/", heard
    listener.close()


def make_door(trusted: Path | None = None) -> HttpDoor:
    door = HttpDoor(NEAR)
    if trusted:
        door._session.verify = str(trusted)
    return door


def test_a_certificate_nobody_vouches_for_is_refused_and_nothing_is_said(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with serve(certificate) as (url, heard):
        with pytest.raises(Fault):
            make_door().send("POST", url, json_body={"a": 1})
        assert heard == []
        assert make_door(certificate).send("POST", url, json_body={"a": 1}).status == 200  # so it was the certificate


def test_a_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "127.0.0.2")
    with serve(certificate) as (url, heard), pytest.raises(Fault):
        make_door(certificate).send("GET", url)
    assert heard == []


def greet_carelessly(url: str) -> str | None:
    """The protocol that a client which takes any agrees on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    place = ("127.0.0.1", int(url.rstrip("/").rpartition(":")[2]))
    with socket.create_connection(place, 5) as plain, context.wrap_socket(plain) as secure:
        return secure.version()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_an_outdated_protocol_is_refused(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with serve(certificate, ssl.TLSVersion.TLSv1_1) as (url, heard):
        with pytest.raises(Fault):
            make_door(certificate).send("GET", url)
        assert heard == []
        assert greet_carelessly(url) == "TLSv1.1"  # so the server would have spoken it
    with serve(certificate, ssl.TLSVersion.TLSv1_2) as (url, heard):
        assert make_door(certificate).send("GET", url).status == 200


@contextmanager
def run_web(folder: Path, **more: str) -> Iterator[tuple[int, Path]]:
    """`flask --app app web` in a process of its own: its port, and the file its log goes to."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = settings_of_tests(f"sqlite:///{folder}/web.db", None, folder)
    variables = {name.upper(): str(value) for name, value in settings.items() if value is not None}
    environment = {**os.environ, **variables, **more}
    flask = [sys.executable, "-m", "flask", "--app", "app"]
    subprocess.run([*flask, "db", "upgrade"], check=True, cwd=ROOT, env=environment, capture_output=True, timeout=60)
    log = folder / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*flask, "web", "--bind", f"127.0.0.1:{port}"], cwd=ROOT, env=environment, stderr=written, stdout=written
        )
    try:
        wait_for_port(port)
        yield port, log
    finally:
        process.terminate()
        process.wait(30)


def wait_for_port(port: int) -> None:
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError("the web server does not come up")


def speak(port: int, *parts: bytes) -> bytes:
    """Everything that is answered to these bytes, until the server closes, as the last of them asks it to."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        for part in parts:
            connection.sendall(part)
        connection.settimeout(60)
        with suppress(OSError):
            while chunk := connection.recv(65536):
                heard += chunk
    return heard


def statuses(heard: bytes) -> list[int]:
    return [int(one) for one in re.findall(rb"HTTP/1\.1 (\d{3}) ", heard)]


@pytest.mark.parametrize(("trusted", "seen"), [("203.0.113.1", "127.0.0.1"), ("127.0.0.1", "198.51.100.9")])
def test_only_a_named_proxy_is_believed_about_the_callers_address(tmp_path: Path, trusted: str, seen: str) -> None:
    call = HEAD + b"X-Forwarded-For: 198.51.100.9\r\nContent-Length: 2\r\n\r\n{}"
    with run_web(tmp_path, FORWARDED_ALLOW_IPS=trusted) as (port, log):
        assert statuses(speak(port, call)) == [401]
        assert f"refused POST /rms/notifications from {seen}:" in log.read_text()


OPEN = b"POST /rms/notifications HTTP/1.1\r\nHost: a\r\n"
HEAD = OPEN + b"Connection: close\r\n"
HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
SMUGGLED: dict[str, Any] = {
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: %d\r\n\r\n{}" % (2 + len(HIDDEN)) + HIDDEN, [400]),
    "an odd length": (HEAD + b"Content-Length: +2\r\n\r\n{}", [400]),
    "an odd coding": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [400]),
    "two codings": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [400]),
    "a space before the colon": (HEAD + b"Content-Length : 2\r\n\r\n{}", [400]),
    "a line that goes on": (HEAD + b"X: a\r\n  b: c\r\nContent-Length: 2\r\n\r\n{}", [401]),
    # the chunked form counts, as RFC 9112 says, so what the length would hide is a request of its own
    "length and chunks": (
        OPEN + b"Content-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        [401, 200],
    ),
}


def test_where_a_request_ends_is_never_in_doubt(tmp_path: Path) -> None:
    with run_web(tmp_path) as (port, _):
        found = {name: statuses(speak(port, sent)) for name, (sent, _) in SMUGGLED.items()}
    assert found == {name: expected for name, (_, expected) in SMUGGLED.items()}
