"""What `make compose-setup` makes before containers run, and how a container starts after a kill."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from siths_portal.dev import compose_setup, openssl
from siths_portal.dev.compose_stack import Stack, host
from siths_portal.dev.progress import HouseError

ROOT = Path(__file__).resolve().parent.parent.parent


def test_an_empty_checkout_becomes_a_demonstration_whose_secrets_stay(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    assert compose_setup.write_settings(stack) == "a demonstration"
    folder = stack.folder / "secrets"
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert {name for name, _ in compose_setup.secret_files()} < set(before)
    assert folder.stat().st_mode & 0o777 == 0o700  # no other user of this machine reads them
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o644}  # every user in a container does
    settings = (stack.folder / "portal.env").read_text()
    assert [name for name, value in before.items() if value in settings] == []
    (client,) = json.loads((stack.folder / "simulators" / "idp" / "clients.json").read_text())
    sites = ("portal.siths.localhost:8000", "minasidor.siths.localhost:8001")
    assert client["redirect_uris"] == [f"https://{site}/logga-in/svar/" for site in sites]
    roots = stack.folder / "tls" / "device-roots.pem"
    known = roots.read_bytes()
    assert known == (stack.folder / "simulators" / "devices" / "maker" / "root.pem").read_bytes()
    compose_setup.write_settings(stack)
    assert {file.name: file.read_text() for file in folder.iterdir()} == before
    assert roots.read_bytes() == known


def test_each_site_gets_a_certificate_for_its_name(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    compose_setup.write_settings(stack)
    assert compose_setup.certify_sites(stack) == "3 made"
    tls = stack.folder / "tls"
    for site in compose_setup.TLS_SITES:
        names = ["-verify_hostname", host(site), "-purpose", "sslserver"]
        openssl.run("verify", "-x509_strict", "-CAfile", str(tls / "ca.pem"), *names, str(tls / site / "server.pem"))
    assert (tls / "ca.key").stat().st_mode & 0o077 == 0
    assert compose_setup.certify_sites(stack) is None


def test_an_installation_of_ones_own_names_the_files_that_it_lacks(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.folder.mkdir(parents=True)
    (stack.folder / "portal.env").write_text("TLS_PROXY=1\n")
    with pytest.raises(HouseError, match=r"administrators\.yaml.*tls/api/clients-ca\.pem") as refused:
        compose_setup.write_settings(stack)
    assert refused.value.code == 2
    for name in compose_setup.OWN_FILES:
        (stack.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (stack.folder / name).touch()
    assert compose_setup.write_settings(stack) == "your own"
    assert not (tmp_path / ".env").exists()


def test_a_container_starts_after_a_kill_with_the_old_socket_and_an_emptied_token(tmp_path: Path) -> None:
    socket, live, kept = tmp_path / "site.sock", tmp_path / "tokens" / "a", tmp_path / "tokens-kept" / "a"
    for folder, content in ((live, b""), (kept, b"token")):
        folder.mkdir(parents=True)
        (folder / "token.object").write_bytes(content)
    socket.touch()
    starts = ["--socket", str(socket), "--tokens", str(tmp_path), "sh", "-c", f"test ! -e {socket} && cat {live}/token.object"]
    command = [sys.executable, "-m", "siths_portal.dev.contained", *starts]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout == b"token"
