"""A worker that dies while it ends holds: SIGKILL at its points leaves all held or all released, and the sweeper finishes it."""

import os
import signal

import pytest

from pki.models import Event
from pki.ocsp import presigning
from pki.revocation import releasing
from tests.forking import forked
from tests.pki.revocation.test_releasing import ask, good, held, on_hold, proven

__all__ = ["on_hold"]

BEFORE, AFTER = "pki.release.before-commit", "pki.release.after-commit"
CUTS = 10 if os.environ.get("SITHS_LONG") else 2


@pytest.mark.parametrize("point", [BEFORE, AFTER])
def test_a_cut_ends_all_holds_or_none(on_hold, armed, tally, point):
    ask(on_hold, proven())
    for _ in range(CUTS if point == BEFORE else 1):
        (armed / point).touch()
        assert forked(releasing.release_holds, armed) == -signal.SIGKILL
        assert held(on_hold) == {point == BEFORE}
    releasing.release_holds(overdue=True)  # as the sweeper does
    presigning.presign_due()
    assert held(on_hold) == {False}
    assert all(map(good, on_hold))
    released = Event.objects.filter(action="certificate.released").values_list("subject_ref", flat=True)
    tally.run([str(row.id) for row in on_hold], released, "released certificates")
