"""A clock that was ahead at one issue locks the series; two people let its dates step back, once."""

import datetime as dt

import psycopg2
import pytest
from django.db import connection

from billing.invoices.models import Invoice, SeriesCorrection
from billing.invoices.services import series
from billing.reconciliation.services import reconcile
from billing.records.models import Event
from billing.runs.services import months
from issuance.authz import Role
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.billing.facts import local, uid
from tests.billing.invoices.test_pages import plain
from tests.billing.world import APRIL, REGION, customer, made_once, slide_prices

pytestmark = pytest.mark.django_db(transaction=True)
AHEAD = local(2023, 9, 1, 9)
ADDRESS = "/fakturor/nummerserie/"
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def locked(page_world, facts):
    """Invoice 2023-000001 was issued by a clock four months ahead; a second customer waits for the right date."""

    def make():
        slide_prices()
        customer(REGION)
        facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
        months.run_month(APRIL, actor_ref="user:test")
        with clock.moved_to(AHEAD):
            months.run_month(APRIL, actor_ref="user:test", issue=True)
        other = uid("other")
        customer(other, name="Kommun Väst", organisation_number="2129990004")
        facts.card(other, facts.office("b", "Kontor B"), "589", local(2023, 4, 13))

    made_once("one issued ahead", facts, make)
    return page_world


def officer(world, role=Role.FINANCE_ADMIN, *, place="region"):
    """An officer; another place gives another person."""
    return world.world.officer(getattr(world, place), role)


def issue():
    return months.run_month(APRIL, actor_ref="user:test", issue=True).issued


def test_two_people_unlock_the_series_once(locked):
    with pytest.raises(Conflict) as refusal:
        issue()
    assert "Nummerserie" in refusal.value.message
    one, two = officer(locked), officer(locked, place="municipality")
    with clock.moved_to(clock.now() + MINUTE):  # the second person has the right before the request
        correction = series.request_correction(actor=one, reason="Klockan gick fyra månader före.")
    with pytest.raises(Conflict):
        issue()
    series.approve_correction(actor=two, correction_id=correction.pk)
    assert issue() == 1
    assert list(Invoice.objects.order_by("sequence").values_list("number", "issue_date")) == [
        ("2023-000001", dt.date(2023, 9, 1)),
        ("2023-000002", dt.date(2023, 5, 2)),
    ]
    assert [check.number for check in reconcile.reconcile(APRIL) if not check.ok] == []
    assert list(Event.objects.filter(subject_type="series").order_by("id").values_list("action", "actor_ref")) == [
        ("series.correction_requested", one.ref),
        ("series.correction_approved", two.ref),
    ]
    # The next number went on from today's date, so nothing is left to use.
    with pytest.raises(Conflict):
        series.request_correction(actor=one, reason="Igen.")


def test_one_person_alone_or_with_a_newer_right_does_not_unlock(locked):
    one, unknown = officer(locked), officer(locked, place="municipality")
    correction = series.request_correction(actor=one, reason="Klockan gick före.")
    with pytest.raises(Forbidden) as own:
        series.approve_correction(actor=one, correction_id=correction.pk)
    assert own.value.code == "second-person"
    with clock.moved_to(clock.now() + dt.timedelta(minutes=1)):
        newer = officer(locked, place="clinic")
        with pytest.raises(Forbidden) as new:
            series.approve_correction(actor=newer, correction_id=correction.pk)
        assert "yngre än begäran" in new.value.message
        with pytest.raises(Conflict):
            series.request_correction(actor=newer, reason="En gång till.")
    with pytest.raises(NotFound):
        series.approve_correction(actor=unknown, correction_id=uid("nothing"))
    with pytest.raises(Conflict):
        issue()


@pytest.mark.parametrize("role", [Role.GLOBAL_READER, Role.RESPONSIBLE_ISSUER])
def test_others_may_not(locked, role):
    with pytest.raises(Forbidden):
        series.request_correction(actor=officer(locked, role), reason="x")


def test_a_series_that_is_not_ahead_is_left_alone(page_world):
    with pytest.raises(Conflict):
        series.request_correction(actor=officer(page_world), reason="x")
    with pytest.raises(Invalid):
        series.request_correction(actor=officer(page_world), reason=" ")


def test_the_database_lets_nobody_approve_alone_or_change_a_request(locked):
    one = officer(locked)
    series.request_correction(actor=one, reason="Klockan gick före.")
    own = f"UPDATE billing_seriescorrection SET approved_by = '{one.ref}', approved_at = now()"
    for statement in (
        own,
        "UPDATE billing_seriescorrection SET from_date = '2023-01-01'",
        "DELETE FROM billing_seriescorrection",
    ):
        options = connection.settings_dict
        with psycopg2.connect(dbname=options["NAME"], user="postgres", host=options["OPTIONS"]["host"]) as superuser:
            with superuser.cursor() as cursor, pytest.raises(psycopg2.Error):
                cursor.execute(statement)
            superuser.rollback()
    assert SeriesCorrection.objects.get().approved_at is None


def test_the_page_leads_two_people_through(locked):
    first, second = (locked.client(Role.FINANCE_ADMIN, each) for each in (locked.region, locked.municipality))
    assert "Serien är låst" in plain(first.get(ADDRESS).content)
    refused = first.post(ADDRESS, {"reason": ""})
    assert refused.status_code == 422
    assert "Skriv varför datumen måste gå tillbaka." in plain(refused.content)
    with clock.moved_to(clock.now() + MINUTE):
        assert first.post(ADDRESS, {"reason": "Klockan gick före."}).status_code == 302
    shown = plain(first.get(ADDRESS).content)
    assert "En annan person måste godkänna" in shown
    assert "Godkänn att serien" not in shown
    correction = SeriesCorrection.objects.get()
    own = first.post(ADDRESS, {"godkann": str(correction.pk)})
    assert own.status_code == 403
    assert "Godkänn att serien går tillbaka" in plain(second.get(ADDRESS).content)
    assert second.post(ADDRESS, {"godkann": str(correction.pk)}).status_code == 302
    shown = plain(first.get(ADDRESS).content)
    assert "Nästa faktura kan utfärdas." in shown
    for nothing in ({"godkann": "x"}, {"reason": ""}):
        told = first.post(ADDRESS, nothing)
        assert (told.status_code, "behöver inte gå tillbaka" in plain(told.content)) == (422, True)
    assert "från 2023-09-01 till 2023-05-02" in shown
    assert issue() == 1
