"""A PKI for tests: tokens in the run's own SoftHSM folder, and `demo_pki`, the demo ceremony's rows in each test's database.

The ceremony runs once a process, with smaller keys than the demo's; its rows are then copied into the flushed database of each
test that asks. Nothing here imports models at the top: the file is read before Django is set up.
"""

import contextlib
import io
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import first_rows, superuser

SO_PIN = "12345678"
TEST_PIN = "648219"
DEMO_FILE = Path(__file__).parent.parent / "siths_portal" / "dev" / "demo_ceremony.yaml"


def make_token(label: str, pin: str = TEST_PIN) -> list[Path]:
    """Makes an empty SoftHSM token and returns its folder, alone in a list.

    A process that has the module open sees it after its next initialisation.
    """
    tokens = Path(os.environ["SITHS_TEST_ROOT"]) / "tokens"
    others = set(tokens.iterdir())
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", SO_PIN],
        check=True,
        capture_output=True,
        env=os.environ,
    )
    return sorted(set(tokens.iterdir()) - others)


def remove_tokens(folders: list[Path]) -> None:
    """Removes tokens and lets this process forget them. SoftHSM reads all tokens there are at each of its starts."""
    from django.conf import settings

    from pki.hsm.module import module

    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    ours = module(settings.PKCS11_MODULE, settings.HSM_LOCKING)
    if ours.generation:
        ours.restart(ours.generation)


def demo_file(key: str = "rsa-2048") -> bytes:
    """The demo's ceremony file with CA keys of another type, for speed."""
    return DEMO_FILE.read_bytes().replace(b"rsa-4096", key.encode())


def approved(content: bytes):
    """The ceremony of a file's bytes, with the approvals of the demo's approvers lying ready for it."""
    from django.conf import settings

    from pki.domain.ceremony_file import parse
    from siths_portal.dev import approvers

    folder = Path(settings.PKI_CEREMONY_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "approved.yaml"
    file.write_bytes(content)
    approvers.approve(file, folder)
    return parse(content)


@dataclass(frozen=True)
class DemoPki:
    """Where the PKI of the tests lies: the files that the status services publish, and the ceremony's transcript."""

    status: Path
    transcript: Path

    def settle(self) -> None:
        """Does what the `pki` worker does: signs what is planned, ends holds, and signs OCSP answers that are due."""
        from pki.issuing import signing
        from pki.ocsp import presigning
        from pki.revocation import releasing

        signing.settle()
        releasing.release_holds()
        presigning.presign_due()


class _Snapshot:
    """The tables of `pki` after the ceremony, as COPY text, and the published files."""

    def __init__(self, worker: str, folder: Path) -> None:
        from django.conf import settings

        self.status, self._files = folder / "status", folder / "status-after-ceremony"
        self._tables: dict[str, bytes] = {}
        self._tokens = {"PKCS11_TOKEN": f"demo-issuing-{worker}", "PKCS11_ROOT_TOKEN": f"demo-root-{worker}"}
        self._token_folders: set[Path] = set()
        for name, label in self._tokens.items():
            self._token_folders.update(make_token(label))
            setattr(settings, name, label)
            os.environ[name] = label  # for processes that a test starts
        self._objects: set[Path] = set()
        for name, path in (("PKI_STATUS_DIR", self.status), ("PKI_CEREMONY_DIR", folder / "ceremony")):
            setattr(settings, name, path)
            os.environ[name] = str(path)

    def use(self) -> DemoPki:
        """Fills the empty tables: by the ceremony the first time, by copying after that."""
        return first_rows.layer(("pki", id(self)), self._use)

    def _use(self) -> DemoPki:
        if self._tables:
            shutil.rmtree(self.status, ignore_errors=True)
            shutil.copytree(self._files, self.status)
            first_rows.fill(self._tables)
            self._remove_keys_of_other_tests()
        else:
            self._perform()
            self._dump()
            self._objects = self._objects_now()
            shutil.copytree(self.status, self._files)
        return DemoPki(self.status, self.transcript)

    def _perform(self) -> None:
        from pki.ceremonies import execution

        self.transcript = execution.perform(approved(demo_file())).transcript

    def _dump(self) -> None:
        from django.apps import apps

        with superuser.cursor() as cursor:
            for model in apps.get_app_config("pki").get_models():
                text = io.BytesIO()
                cursor.copy_expert(f'COPY "{model._meta.db_table}" TO STDOUT', text)
                if text.tell():  # the others are empty when they are filled
                    self._tables[model._meta.db_table] = text.getvalue()

    def _objects_now(self) -> set[Path]:
        return {path for folder in self._token_folders for path in folder.glob("*.object")}

    def _remove_keys_of_other_tests(self) -> None:
        """The tokens hold again what they held after the ceremony. They are asked only if a file has come or gone."""
        from pkcs11 import Attribute

        from pki.models import HsmKey

        if self._objects_now() == self._objects:
            return
        for label in self._tokens.values():
            ours = set(HsmKey.objects.filter(token_label=label).values_list("key_id", flat=True))
            with contextlib.closing(raw_session(label)) as session:
                for each in list(session.get_objects()):
                    if each[Attribute.ID].hex() not in ours:
                        each.destroy()
        assert self._objects_now() == self._objects, "a test spoilt a key of the tokens that all share"


def raw_session(label: str):
    """A session as somebody with the PIN and a program of his own would have it."""
    from django.conf import settings

    from pki.hsm import hsm_for
    from pki.hsm.module import module

    hsm_for(label).random(1)  # logs the process in
    return module(settings.PKCS11_MODULE, "auto").lib.get_token(token_label=label).open(rw=True)


@contextlib.contextmanager
def tampering():
    """A cursor of one who gets past every right and trigger of the database, in a connection of its own."""
    import psycopg2
    from django.db import connection

    name, host = connection.settings_dict["NAME"], connection.settings_dict["OPTIONS"]["host"]
    with (
        contextlib.closing(psycopg2.connect(dbname=name, user="postgres", host=host)) as opened,
        opened,
        opened.cursor() as cursor,
    ):
        cursor.execute("SET session_replication_role = replica")
        yield cursor


@pytest.fixture(scope="session")
def pki_snapshot(request: pytest.FixtureRequest, django_db_setup, tmp_path_factory) -> _Snapshot:
    """Tokens of this process, and the ceremony's outcome once it has been performed."""
    worker = str(os.getpid())
    return _Snapshot(worker, tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module", autouse=True)
def every_card_is_ordered(request: pytest.FixtureRequest):
    """Tests of the PKI alone have no orders: there every certificate on a card is as ordered, elsewhere issuance is asked."""
    name = request.module.__name__
    if not name.startswith(("tests.pki.", "tests.bench.", "tests.issuance.operators.")):
        yield
        return
    from tests.pki import every_card

    with every_card.connected():
        yield


@pytest.fixture
def demo_pki(pki_snapshot: _Snapshot, transactional_db) -> DemoPki:
    """Root, six issuing CAs with OCSP responders, the bulk CA, KEK and derive key, as `make run` has them but for RSA-2048."""
    return pki_snapshot.use()


@pytest.fixture(scope="session")
def audit_token_label(request: pytest.FixtureRequest) -> str:
    """A token of this process for the audit chain's keys, made once: rows come and go, keys are found again by label."""
    worker = str(os.getpid())
    label = f"audit-{worker}"
    make_token(label)
    return label


@pytest.fixture
def audit_token(audit_token_label: str, settings) -> str:
    """The audit chain's keys in the token of their own."""
    settings.PKCS11_TOKEN = audit_token_label
    return audit_token_label
