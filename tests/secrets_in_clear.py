"""PUKs and codes of the tests' cards, which must be in clear nowhere, and the search for them in what tests leave."""

from collections.abc import Iterable
from pathlib import Path

from siths_portal.demo import secret_scan
from tests import first_rows

PUK = "31415926"
TRANSPORT = "transport-8d1f0c"


def none_in_clear(logs: Iterable[Path], *secrets: str) -> None:
    """Asserts that neither a table nor one of the logs contains one of the secrets."""
    assert secret_scan.in_tables(first_rows.texts().items(), secrets) == []
    assert secret_scan.in_files(logs, secrets) == []


def leaky_logs(folder: Path) -> list[str]:
    """The logs in a folder and below it that contain the PUK or the transport code of the tests' cards."""
    return secret_scan.in_files(sorted(folder.rglob("*.log")), (PUK, TRANSPORT))
