"""The PKI of `small_pki`: its ceremony is performed once a process, and each later test has copies of all that it left."""

import os
import shutil
from pathlib import Path

from django.conf import settings

from pki.ceremonies import execution
from pki.hsm.module import module
from tests import first_rows
from tests.pki.conftest import small_file
from tests.pki_fixtures import approved

LABELS = (f"small-issuing-{os.getpid()}", f"small-root-{os.getpid()}")
"""The tokens' labels, which the rows name."""


class SmallPki:
    """Rows, tokens and files as the ceremony left them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: dict[str, bytes] = {}

    def use(self, tokens: list[Path]) -> None:
        """Fills empty tables, the two tokens and the folders of the test's settings."""
        places = [*tokens, settings.PKI_STATUS_DIR, settings.PKI_CEREMONY_DIR]
        kept = [self._folder / str(number) for number in range(len(places))]
        if not self._tables:
            execution.perform(approved(small_file()))
            for place, copy in zip(places, kept, strict=True):
                shutil.copytree(place, copy)
            self._tables = first_rows.texts("pki")
            return
        for place, copy in zip(places, kept, strict=True):
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(copy, place)
        first_rows.fill(self._tables)
        for label in LABELS:  # an earlier test may have taken its token away
            module(settings.PKCS11_MODULE, settings.HSM_LOCKING).pool(label).succeeded()
