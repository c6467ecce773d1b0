"""The status page: ages of lists, responders and answers of every CA, the store and the processes that answer."""

import datetime as dt
import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from pki.crl import building
from pki.models import CaState, Certificate, CertificateAuthority, Crl, CrlScope, Event, OcspSigner, StatusReport
from pki.ocsp import presigning
from pki.ocsp.publishing import Publisher
from pki.operators import status_measures
from siths_portal.lib import clock
from tests.issuance.operators.operators import client_of, operator
from tests.issuance.person_page.test_pages import text_of
from tests.pki.orders import card, plan

ADDRESS = "/pki/ocsp/status/"
NAME = "DEMO SITHS e-id Person HSA-id 3 CA v1"
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def store(settings: Any, tmp_path: Path) -> Path:
    """The folder of a store of the test's own, with two processes beside it, of which one has not told of itself lately."""
    settings.PKI_OCSP_STORE_DIR = tmp_path / "ocsp"
    folder = settings.PKI_OCSP_STORE_DIR / "processes"
    folder.mkdir(parents=True)
    now = clock.now().timestamp()
    for pid, age in ((os.getpid(), 2), (4711, 300)):
        told = {
            "pid": pid, "started_at": now - 7200, "told_at": now - age, "generation": "index-1", "followed_at": now - age,
            "answered": 12_345, "errors": 6,
        }  # fmt: skip
        (folder / f"{pid}.json").write_text(json.dumps(told))
    (folder / "broken.json").write_text("{")
    return Path(settings.PKI_OCSP_STORE_DIR)


@pytest.fixture
def published(demo_pki: Any) -> list[Certificate]:
    """A card's certificates with answers, and lists of now."""
    ids = plan(*card())
    demo_pki.settle()
    presigning.presign_due(limit=10_000)
    building.publish_online()
    return list(Certificate.objects.filter(id__in=ids, ca__slug="person-hsaid-3"))


def row_of(text: str, after: str, name: str = NAME) -> str:
    """The words of a table from a CA's name on."""
    return text.split(after, 1)[1].split(name, 1)[1].split("DEMO SITHS", 1)[0]


def revoke(row: Certificate, at: dt.datetime) -> None:
    """Without any of what follows."""
    CertificateAuthority.objects.filter(pk=row.ca_id).update(status_version=F("status_version") + 1)
    version = CertificateAuthority.objects.get(pk=row.ca_id).status_version
    Certificate.objects.filter(pk=row.pk).update(status="revoked", reason="superseded", revoked_at=at, status_version=version)


def test_without_anything_the_page_says_so(world: Any) -> None:
    text = text_of(client_of(operator(world)).get(ADDRESS))
    for expected in (
        "Ingen utfärdare publicerar spärrlistor.", "Ingen utfärdare har en OCSP-svarare.", "Ingen kontroll är gjord än.",
    ):  # fmt: skip
        assert expected in text, expected


def test_all_well(world: Any, published: list[Certificate], store: Path) -> None:
    with Publisher(store) as publisher:
        publisher.look()
        status_measures.measure()
    text = text_of(client_of(operator(world)).get(ADDRESS))
    newest = Crl.objects.filter(ca__slug="person-hsaid-3", shard=None).latest("number")
    lists = row_of(text, "Spärrar som saknas")
    for expected in (" alla certifikat Aktuell ", str(newest.number), " nyss ", "om 47 timmar", f"{newest.size} byte", " 0 –"):
        assert expected in lists, expected
    answers = row_of(text, "Väntar på svar")
    current = Certificate.objects.filter(ca__slug="person-hsaid-3", status="issued").count()
    for expected in ("29 dagar kvar", f" {current} 100,0 % nyss ", " 0 "):
        assert expected in answers, expected
    for expected in ("Följer databasen", "index-", f"{os.getpid()} ", "12 345 6", "Svarar inte på OCSP:"):
        assert expected in text, expected
    assert "4711" not in text
    assert "svarar själv vid ceremonier" in text


def test_lists_that_are_late_or_ended_or_fail_and_what_they_lack(world: Any, published: list[Certificate]) -> None:
    now = clock.now()
    revoke(published[0], now - 10 * HOUR / 60)
    ca = CertificateAuthority.objects.get(slug="person-hsaid-3")
    Event.record(
        actor_ref="system:crl", action="crl.abandoned", subject_type="certificate_authority", subject_ref=str(ca.pk),
        facts={"number": 1, "shard": None, "why": "HsmUnavailable"},
    )  # fmt: skip
    CrlScope.objects.filter(ca=ca).update(failures=2, retry_at=now + HOUR)
    CrlScope.objects.filter(ca__slug="function").update(lease=uuid.uuid4(), leased_until=now + HOUR)
    client = client_of(operator(world))
    lists = row_of(text_of(client.get(ADDRESS)), "Spärrar som saknas")
    for expected in ("Aktuell", " 1 den första för 10 minuter sedan", "2 försök misslyckades HsmUnavailable, nytt försök "):
        assert expected in lists, expected
    assert "görs nu, klar före " in row_of(text_of(client.get(ADDRESS)), "Spärrar som saknas", "DEMO SITHS e-id Function CA v1")
    with clock.moved_to(now + 3 * HOUR):
        assert " Försenad " in row_of(text_of(client_of(operator(world, "Nanna")).get(ADDRESS)), "Spärrar som saknas")
    with clock.moved_to(now + 50 * HOUR):
        assert " Har gått ut " in row_of(text_of(client_of(operator(world, "Sigrid")).get(ADDRESS)), "Spärrar som saknas")
    CrlScope.objects.filter(ca=ca).update(newest=None)
    assert " Saknas – – – – 1 " in row_of(text_of(client.get(ADDRESS)), "Spärrar som saknas")
    newest = Crl.objects.filter(ca__slug="function").latest("number")
    newest.pk, newest.number, newest.next_update = None, newest.number + 1, None
    newest.save(force_insert=True)
    CrlScope.objects.filter(ca__slug="function").update(newest=newest)
    assert " Den sista " in row_of(text_of(client.get(ADDRESS)), "Spärrar som saknas", "DEMO SITHS e-id Function CA v1")


def test_shards_are_one_line_and_each_for_itself(world: Any, published: list[Certificate]) -> None:
    ca = CertificateAuthority.objects.get(slug="person-hsaid-3")
    now = clock.now()
    for shard in range(4):
        made = Crl.objects.create(
            ca=ca, shard=shard, number=100 + shard, this_update=now - shard * HOUR, next_update=now + 40 * HOUR, entries=10,
            size=1000, sha256="0" * 64, file_name=f"x-{shard}.crl",
        )  # fmt: skip
        CrlScope.objects.create(ca=ca, shard=shard, newest=made)
    CertificateAuthority.objects.filter(pk=ca.pk).update(crl_shards=4)
    text = text_of(client_of(operator(world)).get(ADDRESS))
    together = text.split("4 delar, den äldsta", 1)[1][:200]
    for expected in (" Försenad 103 ", "för 3 timmar sedan", " 40 4 000 byte "):
        assert expected in together, expected
    each = text.split("Varje del för sig", 1)[1].split("OCSP-svar", 1)[0]
    assert [number in each for number in (" 100 ", " 101 ", " 102 ", " 103 ")] == [True] * 4
    assert (each.count("Aktuell"), each.count("Försenad")) == (2, 2)


def test_answers_that_wait_and_a_responder_that_ends(world: Any, published: list[Certificate]) -> None:
    status_measures.measure()
    client = client_of(operator(world))
    revoke(published[0], clock.now() - 5 * HOUR / 60)
    OcspSigner.objects.filter(ca__slug="person-hsaid-3").update(not_after=F("not_after") - dt.timedelta(days=25))
    answers = row_of(text_of(client.get(ADDRESS)), "Väntar på svar")
    for expected in ("4 dagar kvar snart", " 1 för 5 minuter sedan"):
        assert expected in answers, expected
    assert "100,0 %" not in answers
    OcspSigner.objects.filter(ca__slug="person-hsaid-3").update(retired_at=clock.now())
    text = text_of(client.get(ADDRESS))
    answers = row_of(text, "Väntar på svar")
    for expected in (" saknas ", " 1 för 5 minuter sedan"):
        assert expected in answers, expected
    assert NAME not in text.split("Svarar inte på OCSP:", 1)[1]
    assert "DEMO SITHS e-id Bulk CA v1" in text.split("Svarar inte på OCSP:", 1)[1]


def test_answers_of_the_root_are_told_while_a_ceremony_can_be_planned(world: Any, published: list[Certificate]) -> None:
    root = CertificateAuthority.objects.get(slug="root").common_name
    for number, (days, soon) in enumerate(((170, False), (185, True))):
        with clock.moved_to(clock.now() + dt.timedelta(days=days)):
            client = client_of(operator(world, f"Nanna{number}"))
            answers = row_of(text_of(client.get(ADDRESS)), "Väntar på svar", root)
        assert ("svarar själv vid ceremonier" in answers, " snart " in answers) == (True, soon), days


def test_a_store_that_is_not_followed_and_a_worker_that_does_not_look(
    world: Any, published: list[Certificate], store: Path
) -> None:
    client = client_of(operator(world))
    with Publisher(store) as publisher:
        publisher.look()
    status_measures.measure()
    StatusReport.objects.update(store=StatusReport.objects.get().store | {"followed_at": clock.now().timestamp() - 600})
    assert "Följer inte databasen" in text_of(client.get(ADDRESS))
    StatusReport.objects.update(seen_at=clock.now() - HOUR)
    text = text_of(client.get(ADDRESS))
    for expected in ("Statusen är okänd", "Lagret kontrolleras annars var femtonde sekund."):
        assert expected in text, expected
    StatusReport.objects.update(seen_at=clock.now(), store={}, processes=[])
    text = text_of(client.get(ADDRESS))
    for expected in ("Inget lager finns", "Ingen process har hört av sig"):
        assert expected in text, expected


def test_cas_that_publish_nothing_are_not_shown(world: Any, published: list[Certificate]) -> None:
    CertificateAuthority.objects.filter(slug="person-hsaid-3").update(state=CaState.COMPROMISED)
    assert NAME not in text_of(client_of(operator(world)).get(ADDRESS))


def test_the_page_costs_the_same_however_many_cas_and_lists_there_are(world: Any, demo_pki: Any) -> None:
    client = client_of(operator(world))
    status_measures.measure()
    counts = []
    for slugs in (["function"], [each.slug for each in CertificateAuthority.objects.all()]):
        CertificateAuthority.objects.exclude(slug__in=slugs).update(state=CaState.EXTERNAL)
        client.get(ADDRESS)
        with CaptureQueriesContext(connection) as queries:
            client.get(ADDRESS)
        counts.append(len(queries))
        CertificateAuthority.objects.exclude(slug="root").update(state=CaState.ACTIVE)
        building.publish_online()
    assert counts[0] == counts[1] <= 10
