"""New migrations leave the database usable for the release before, which runs beside them (docs/operations.md, Kubernetes)."""

from collections.abc import Iterator

import pytest
from django_migration_linter import MigrationLinter
from pytest_django.plugin import DjangoDbBlocker

BASELINE = {"authn": 18, "billing": 26, "issuance": 80, "pki": 34}
"""The number of each application's last migration that was not checked. Raise none of them."""
LOCKS = ["CREATE_INDEX", "CREATE_INDEX_EXCLUSIVE", "DROP_INDEX", "REINDEX"]
"""Warnings that are errors: an index made in a transaction blocks everybody who writes to the table."""


@pytest.fixture
def linter(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[MigrationLinter]:
    """It only reads, and not in a transaction, in which no index can be made concurrently."""
    quiet = ["ok", "ignore", "warning"]
    with django_db_blocker.unblock():
        yield MigrationLinter(no_cache=True, include_apps=list(BASELINE), warnings_as_errors_tests=LOCKS, quiet=quiet)


def test_the_old_release_works_while_a_new_migration_runs(linter: MigrationLinter, capsys: pytest.CaptureFixture[str]) -> None:
    for (app, name), migration in sorted(linter.migration_loader.disk_migrations.items()):
        if app in BASELINE and int(name[:4]) > BASELINE[app]:
            linter.lint_migration(migration)
    assert not linter.has_errors, capsys.readouterr().out


def test_a_migration_that_stops_the_old_release_is_found(linter: MigrationLinter, capsys: pytest.CaptureFixture[str]) -> None:
    """One of before the baseline makes an index on a table that people write to when they log in."""
    linter.lint_migration(linter.migration_loader.disk_migrations["authn", "0017_attempt_organisation"])
    assert linter.has_errors
    assert "CREATE INDEX locks table" in capsys.readouterr().out
