"""Answers that a mass revocation over several CAs signs."""

import datetime as dt

import pytest

from pki.mass_revocation import MassSelection, execution
from pki.models import Certificate, OcspSigner
from siths_portal.lib import clock
from tests.pki.mass_revocation.test_mass_revocation import FIRST, SECOND, rows_like, run, started, told


@pytest.mark.parametrize(
    "change",
    [
        {"retired_at": clock.now},
        {"not_after": lambda: clock.now() - dt.timedelta(seconds=1)},
    ],
    ids=["retired", "ended"],
)
def test_a_ca_that_nobody_answers_for_keeps_no_others_answers_back(world, monkeypatch, change):
    monkeypatch.setattr(execution, "BATCH", 10)
    held = rows_like(world, 5)
    rows_like(world, 15, world.second)
    OcspSigner.objects.filter(ca=world.second).update(**{name: value() for name, value in change.items()})
    view = run(started(MassSelection(cas=(FIRST, SECOND))))
    assert (view.state, view.revoked) == ("finished", 20)
    assert {told(row)[0] for row in Certificate.objects.filter(id__in=[row.id for row in held])} == {"REVOKED"}
    assert view.report["ocsp_waiting"] == 15
