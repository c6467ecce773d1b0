"""How a process finds its database: by its role, with a password that stands in a file."""

from pathlib import Path

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from siths_portal.lib.database import connections


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The password file of the API, whose URL has none."""
    file = tmp_path / "password"
    monkeypatch.setenv("SITHS_DATABASE_ROLE", "api")
    monkeypatch.setenv("DATABASE_API_URL", "postgres://siths_api@postgres/siths")
    monkeypatch.setenv("DATABASE_API_PASSWORD_FILE", str(file))
    return file


def test_a_password_is_read_from_the_file_of_the_own_connection(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("hemligt/med@tecken\n")
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(file.with_name("of another role")))
    connection = connections.read(environ.Env(), "api").connection
    assert (connection["USER"], connection["PASSWORD"]) == ("siths_api", "hemligt/med@tecken")


def test_a_process_whose_password_cannot_be_read_does_not_start(file: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_API_PASSWORD_FILE: No such file"):
        connections.read(environ.Env(), "api")
