"""The eIDs behind a subscription: kept with the count, listed by reference, and by name only for who may issue to them."""

import csv
import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import pytest
from django.db import InternalError, ProgrammingError, connection
from django.test.utils import CaptureQueriesContext

from billing.documents.queries.counted import CountedEid
from billing.documents.web.counted import CountedList
from billing.invoices.models import Invoice
from billing.ledger.models import SubscriptionEvidence, SubscriptionSnapshot
from billing.reconciliation.services.reconcile import reconcile
from billing.service import run_month
from issuance.authz import Role
from issuance.carriers.models import Eid
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from siths_portal.lib import clock
from tests.billing.facts import Facts
from tests.billing.page_world import PageWorld
from tests.billing.world import APRIL, REGION, customer, tamper
from tests.issuance.test_billing_facts import active
from tests.portal import portal_client

pytestmark = pytest.mark.django_db(transaction=True)
LINE = "/fakturor/2023-000001/rad/1/"


@dataclass
class Counted:
    """An invoice for the subscriptions of three persons. The person `protected` has a protected identity."""

    pages: PageWorld
    plain: list[Eid]
    protected: Eid

    @property
    def eids(self) -> list[UUID]:
        return sorted(eid.pk for eid in (*self.plain, self.protected))


@pytest.fixture
def counted(page_world: PageWorld, facts: Facts, prices: None) -> Counted:
    world, ends = page_world.world, clock.now() + dt.timedelta(days=900)
    with clock.moved_to(clock.now() - dt.timedelta(days=30)):
        plain = [active(world.post(page_world.clinic, surname=name), valid_to=ends) for name in ("Adamsson", "Bertilsson")]
        protected = active(world.post(page_world.clinic, surname="Hemligsson", protected=True), valid_to=ends)
    made = Counted(page_world, plain, protected)
    customer(REGION)
    for period in ("2023-04", "now"):
        facts.count(period, REGION, "Västra Götalandsregionen", 3, direct=True, eids=made.eids)
    run_month(APRIL, actor_ref="user:test", issue=True)
    return made


def test_the_count_keeps_what_it_counted(counted: Counted) -> None:
    (kept,) = SubscriptionEvidence.objects.all()
    assert sorted(kept.eids) == counted.eids
    assert [each for each in reconcile(APRIL) if not each.ok] == []
    for statement in ("UPDATE billing_subscriptionevidence SET eids = '{}'", "DELETE FROM billing_subscriptionevidence"):
        with (
            pytest.raises((InternalError, ProgrammingError), match="billing_subscriptionevidence"),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_subscriptionevidence SET eids[1] = gen_random_uuid()",
        "UPDATE billing_subscriptionevidence SET eids = eids[2:]",
        "DELETE FROM billing_subscriptionevidence",
        "UPDATE billing_subscriptionsnapshot SET evidence_sha256 = ''",
    ],
)
def test_reconciliation_finds_another_list(counted: Counted, statement: str) -> None:
    tamper(statement)
    wrong = [(each.number, each.value) for each in reconcile(APRIL) if not each.ok]
    assert wrong == [(6, 1)]


def reference(eid: UUID) -> str:
    return CountedEid(eid, "").reference


def listed_by_reference(text: str, eids: Sequence[UUID]) -> bool:
    """Whether a page has the reference of each eID, and the id of none."""
    return all(reference(eid) in text and str(eid) not in text for eid in eids)


def test_a_reference_is_the_end_of_the_id_without_letters_that_look_like_others() -> None:
    assert reference(UUID("01a22dbb-26e5-780d-88eb-000000000000")) == "0000-0000"
    assert reference(UUID("01a22dbb-26e5-780d-88eb-00ffffffffff")) == "ZZZZ-ZZZZ"
    assert reference(UUID("01a22dbb-26e5-780d-88eb-ab0000000021")) == "0000-0011"


def test_finance_sees_references_and_the_end_of_the_month_and_no_name(counted: Counted) -> None:
    for role in (Role.FINANCE_ADMIN, Role.GLOBAL_READER, Role.CUSTOMER_FINANCE):
        client = counted.pages.client(role)
        text = client.get(LINE).content.decode()
        assert "med giltigt SITHS eID när 2023-04-30 tog slut, kl. 24.00." in text
        assert SubscriptionSnapshot.objects.get().evidence_sha256 in text.replace("<wbr>", "")
        assert listed_by_reference(text, counted.eids)
        assert "Visa vilka" not in text
        asked = client.get(f"{LINE}?vilka=ja")
        assert asked.status_code in (403, 404), role
        for said in (text, asked.content.decode()):
            assert not [eid for eid in counted.plain if eid.hsa_id in said or eid.carrier.holder.surname in said]
    assert not Event.objects.filter(action__startswith="holders.").exists()


def test_the_draft_of_the_month_leads_to_the_list(counted: Counted) -> None:
    draft = f"/fakturor/manadskorning/2023-04/{REGION}/"
    listed = f"{draft}{REGION}/"
    client = counted.pages.client(Role.FINANCE_ADMIN)
    assert f'href="{listed}"' in client.get(draft).content.decode()
    text = client.get(listed).content.decode()
    assert "2023-04-30 tog slut" in text
    assert listed_by_reference(text, counted.eids)
    assert client.get(f"{draft}{UUID(int=1)}/").status_code == 404
    assert client.get(f"{listed}?vilka=ja").status_code in (403, 404)


def test_who_issues_there_sees_whom_and_the_portal_records_it(counted: Counted) -> None:
    client = counted.pages.client(Role.RESPONSIBLE_ISSUER)
    assert "?vilka=ja" in client.get(LINE).content.decode()
    assert not Event.objects.filter(action="holders.listed").exists()
    text = client.get(f"{LINE}?vilka=ja").content.decode()
    for eid in counted.plain:
        assert eid.hsa_id in text
        assert f"/person/{eid.carrier.person_id}/" in text
        assert eid.carrier.holder.surname in text
    assert counted.protected.hsa_id not in text
    assert "Hemligsson" not in text
    event = Event.objects.get(action="holders.listed")
    assert event.subject_ref == str(REGION)
    assert event.facts == {
        "persons": sorted(str(eid.carrier.person_id) for eid in counted.plain), "invoice": "2023-000001", "line": 1,
    }  # fmt: skip


def test_the_protected_holder_is_shown_with_the_add_on(counted: Counted) -> None:
    actor = counted.pages.world.officer(counted.pages.region, Role.RESPONSIBLE_ISSUER, protected=True)
    client = portal_client(Person.objects.get(pk=actor.person_id))
    assert counted.protected.hsa_id in client.get(f"{LINE}?vilka=ja").content.decode()


def test_files_and_pages(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    client = counted.pages.client(Role.RESPONSIBLE_ISSUER)
    rows = csv.reader(io.StringIO(b"".join(client.get(f"{LINE}?fil=csv").streaming_content).decode("utf-8-sig")), delimiter=";")
    assert list(rows) == [
        ["SITHS eID", "Kort", "Referens"],
        *([str(eid), "Ordinarie kort", reference(eid)] for eid in counted.eids),
    ]
    named = b"".join(client.get(f"{LINE}?vilka=ja&fil=csv").streaming_content).decode("utf-8-sig")
    assert "Adamsson" in named
    assert "Hemligsson" not in named
    assert Event.objects.get(action="holders.exported").facts == {"rows": 3, "invoice": "2023-000001", "line": 1}
    monkeypatch.setattr(CountedList, "page_size", 2)
    with CaptureQueriesContext(connection) as queries:
        first = client.get(f"{LINE}?vilka=ja").content.decode()
    assert len(queries) <= 15
    assert "vilka=ja&amp;efter=2" in first
    rest = client.get(f"{LINE}?vilka=ja&efter=2").content.decode()
    assert reference(counted.eids[2]) in rest
    assert reference(counted.eids[0]) not in rest


def test_the_running_month_lists_who_counts_now(counted: Counted) -> None:
    client = counted.pages.client(Role.RESPONSIBLE_ISSUER)
    address = f"/fakturor/lopande/{REGION}/{REGION}/"
    assert f'href="{address}"' in client.get("/fakturor/lopande/").content.decode()
    text = client.get(address).content.decode()
    assert "med giltigt SITHS eID nu, 2023-05-02 06:00." in text
    assert listed_by_reference(text, counted.eids)
    assert client.get(f"/fakturor/lopande/{REGION}/{counted.pages.clinic.pk}/").status_code == 404
    other = counted.pages.client(Role.RESPONSIBLE_ISSUER, counted.pages.municipality)
    assert other.get(address).status_code == 404
    assert Invoice.objects.count() == 1
