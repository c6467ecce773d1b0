"""What benchmarks of whole services need: a PostgreSQL with fsync on, our tables, tokens of their own, and a ceremony."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from siths_portal.dev.private_services import OWNER_ROLE, PrivatePostgres
from tests.database_roles import TEST_ROLE, TEST_ROLE_SQL
from tests.pki_fixtures import DEMO_FILE, make_token, remove_tokens

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = [sys.executable, "-W", "ignore"]


class House(NamedTuple):
    """A folder, the database, and the environment of processes that use both."""

    folder: Path
    postgres: PrivatePostgres
    environ: dict[str, str]

    def perform(self, keys: dict[str, str]) -> None:
        """The demo's ceremony with these of its CAs, by slug, and keys of these kinds."""
        document: dict[str, Any] = yaml.safe_load(DEMO_FILE.read_bytes())
        authorities = [each | {"key": keys[each["slug"]]} for each in document["authorities"] if each["slug"] in keys]
        file = self.folder / "ceremony.yaml"
        file.write_bytes(yaml.safe_dump(document | {"authorities": authorities}, allow_unicode=True).encode())
        self.run("-m", "tests.bench.issuance_worker", str(file))

    def run(self, *arguments: str) -> str:
        """What a Python process of the house prints."""
        command = [*PYTHON, *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.environ, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextlib.contextmanager
def durable() -> Iterator[House]:
    """A house of its own, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="siths-bench-", dir="/tmp"))
    folder.chmod(0o755)
    postgres = PrivatePostgres(folder / "pg" / "data", folder / "pg", fsync=True, roles=(TEST_ROLE,))
    postgres.create()
    postgres.start()
    tokens: list[Path] = []
    try:
        postgres.provision()
        postgres.psql(TEST_ROLE_SQL)
        environ = os.environ | {
            "DATABASE_URL": postgres.url(TEST_ROLE),
            "DATABASE_OWNER_URL": postgres.url(OWNER_ROLE),
            "PKCS11_TOKEN": "bench-issuing",
            "PKCS11_ROOT_TOKEN": "bench-root",
            "PKI_STATUS_DIR": str(folder / "status"),
            "PKI_CEREMONY_DIR": str(folder / "ceremony"),
            "AUDIT_ANCHOR_DIR": str(folder / "audit"),
        }
        for label in ("bench-issuing", "bench-root"):
            tokens += make_token(label)
        house = House(folder, postgres, environ)
        house.run("manage.py", "migrate", "-v", "0")
        yield house
    finally:
        remove_tokens(tokens)  # the next house has some of the same labels
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
