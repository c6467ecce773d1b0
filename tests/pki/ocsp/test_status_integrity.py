"""Certificates' status and holds are compared with the sealed events, and revocations with the stored answers."""

import datetime as dt

import pytest

from pki.health import authority_checks
from pki.models import Certificate, Revocation
from pki.ocsp import status_integrity
from pki.revocation import releasing
from siths_portal.lib import clock
from siths_portal.wiring import verifying
from tests import superuser
from tests.pki.ocsp.test_status_face import revoke
from tests.pki.orders import order, plan
from tests.pki.revocation.test_holds import planned
from tests.pki.revocation.test_releasing import ask, good, on_hold, proven

__all__ = ["on_hold"]


@pytest.fixture
def rows(demo_pki) -> list[Certificate]:
    """Three issued certificates with their answers."""
    ids = plan(*(order("function", subject_ref=f"function:{number}") for number in range(3)))
    demo_pki.settle()
    return list(Certificate.objects.filter(id__in=ids).select_related("ca").order_by("id"))


def changed(row: Certificate, change: str) -> None:
    """A superuser's change of the row, past the triggers."""
    with superuser.cursor() as cursor:
        cursor.execute(f"UPDATE pki_certificate SET {change} WHERE id = %s", [str(row.id)])


def wrong() -> list[str]:
    return list(status_integrity.verify_statuses().wrong)


def test_a_whole_life_agrees_in_every_size_of_batch(on_hold, monkeypatch) -> None:
    ask(on_hold, proven())
    assert releasing.release_holds() == 4
    revoke(*on_hold[:2])
    revoke(on_hold[0], reason="keyCompromise")
    whole = status_integrity.verify_statuses()
    assert whole.wrong == status_integrity.verify_revocations().wrong == ()
    assert status_integrity.verify_revocations().checked == 2
    monkeypatch.setattr(status_integrity, "BATCH", 1)
    assert status_integrity.verify_statuses() == whole
    assert status_integrity.verify_revocations().checked == 2


def test_a_revocation_that_was_taken_back_or_softened_is_found(rows) -> None:
    revoke(*rows, reason="keyCompromise")
    assert wrong() == []
    changed(rows[0], "status = 'issued', revoked_at = NULL, reason = '', status_version = status_version + 100")
    superuser.remove(Revocation.objects.filter(certificate=rows[0]))
    changed(rows[1], "reason = 'superseded', revoked_at = revoked_at + interval '1 day'")
    superuser.remove(Revocation.objects.filter(certificate=rows[2]))
    assert wrong() == [
        f"certifikat {rows[0].id} är spärrat enligt händelserna och issued i tabellen",
        f"certifikat {rows[1].id} skiljer sig från sin spärrhändelse: revoked_at, reason",
        f"certifikat {rows[1].id} saknar posten om sin spärr",
        f"certifikat {rows[2].id} saknar posten om sin spärr",
    ]
    (walk,) = [each for each in verifying.WALKS if each.name == "certificates"]
    assert walk.compare().text.startswith("FEL: certifikat")


def test_a_hold_that_ended_without_a_release_is_found(on_hold) -> None:
    changed(on_hold[0], "held = FALSE, status_version = status_version + 100")
    assert wrong() == [f"certifikat {on_hold[0].id} är vilande enligt händelserna men inte i tabellen"]


def test_a_certificate_that_is_gone_or_was_never_issued_by_its_row_is_found(rows) -> None:
    changed(rows[0], "status = 'failed'")
    changed(rows[1], "held = TRUE")
    superuser.remove(Certificate.objects.filter(id=rows[2].id))
    assert wrong() == [
        f"certifikat {rows[0].id} är utfärdat enligt händelserna och failed i tabellen",
        f"certifikat {rows[1].id} är vilande utan händelse",
        f"certifikat {rows[2].id} finns i händelserna men inte i tabellen",
    ]


def test_a_revoked_certificate_whose_answer_says_good_is_found_and_answered_for_anew(rows) -> None:
    moment = clock.now().isoformat()
    changed(rows[0], f"status = 'revoked', reason = 'keyCompromise', revoked_at = '{moment}'")
    revoke(rows[1])
    lacking = f"certifikat {rows[0].id} är spärrat utan händelse"
    said_good = f"certifikat {rows[0].id} är spärrat men har ett OCSP-svar som säger giltigt"
    assert status_integrity.verify_revocations().wrong == (lacking, said_good)
    assert any("ett annat än databasens status" in each.text for each in authority_checks.inspect())
    assert "revocations" in verifying.verify_due()
    assert status_integrity.verify_revocations().wrong == (lacking,)
    assert not good(rows[0])


def test_an_imported_certificate_may_be_revoked_without_an_event(rows) -> None:
    moment = (clock.now() - dt.timedelta(days=1)).isoformat()
    changed(
        rows[0],
        f"status = 'revoked', reason = 'superseded', revoked_at = '{moment}', status_version = 900, profile_version_id = NULL",
    )
    assert status_integrity.verify_revocations().wrong == ()


def test_a_certificate_that_waits_on_hold_agrees(demo_pki) -> None:
    planned(*(order("person-id-auth", carrier_ref="carrier:1"),), held=True, whole=True)
    assert wrong() == []
