"""The command by which docs/operations.md reaches the PKI API, as it stands there, against a front with the demo's identities."""

import dataclasses
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from siths_portal.dev import nginx
from siths_portal.dev.probes import accepts
from tests.issuance.suppliers.api.stage import process
from tests.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)


def documented() -> list[str]:
    """The words of the one command that calls the API by curl."""
    text = (Path(settings.BASE_DIR) / "docs" / "operations.md").read_text()
    (command,) = re.findall(r"`(curl [^`]+/api/pki/v1/[^`]+)`", text)
    return shlex.split(command)


def test_the_documented_command_reads_the_description(stage: Any, worker: Any, tmp_path: Path, settings: Any) -> None:
    from siths_portal.demo import tls

    settings.VAR_DIR = tmp_path / "var"
    assert tls.provide()
    house = dataclasses.replace(stage.house, root=tmp_path, port_base=free_port() - 443)
    command = ["/usr/sbin/nginx", "-e", "stderr", "-c", str(nginx.write(house))]
    words = [word.replace("localhost:8443", f"localhost:{house.port('api')}") for word in documented()]
    assert words != documented(), "it names the first clone's port"
    with process(command, tmp_path / "nginx.log", lambda: accepts(house.port("api"))):
        run = {"cwd": tmp_path, "capture_output": True, "text": True, "check": False, "timeout": 60}
        done = subprocess.run([words[0], "--silent", "--show-error", "--fail-with-body", *words[1:]], **run)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "/api/pki/v1/certificates" in yaml.safe_load(done.stdout)["paths"]
        without = [word for word in words if word not in ("--cert", "--key") and not word.endswith(("client.pem", "client.key"))]
        refused = subprocess.run([without[0], "--silent", *without[1:]], **run)
        assert "client-certificate-required" in refused.stdout
