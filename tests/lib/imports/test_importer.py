"""What every import does the same way, by one that declares no more than it must."""

import datetime as dt
from typing import Any

import pytest
from django.test import RequestFactory

from billing.prices.models import PriceItem
from billing.records.models import Event
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from siths_portal.lib.files import csv_files, tables
from siths_portal.lib.imports import pages
from siths_portal.lib.imports.columns import template_csv, template_workbook
from siths_portal.lib.imports.importer import Stale
from siths_portal.lib.imports.planning import RowOutcome
from siths_portal.lib.lists import listing
from tests.lib.imports.price_list import PRICES, PriceImporter, Sender

pytestmark = pytest.mark.django_db(transaction=True)
IMPORTER, SENDER = PriceImporter(), Sender("user:one")
CARD = ("K-1", "95,50", "2026-12-01")


def price_list(*rows: tuple[str, ...]) -> bytes:
    return csv_files.build(PRICES.headings, rows)


def test_a_file_is_planned_then_carried_out_once_with_its_events() -> None:
    kept = IMPORTER.keep(actor=SENDER, content=price_list(CARD, ("K-2", "10", "2026-12-01")))
    plan = IMPORTER.planned(actor=SENDER, row=kept)
    assert [(row.place, row.name, row.summary) for row in plan.rows] == [
        ("Priser 2", "K-1", "95.50 kr från 2026-12-01"),
        ("Priser 3", "K-2", "10 kr från 2026-12-01"),
    ]
    for _ in range(2):
        done = IMPORTER.carry_out(actor=SENDER, import_id=kept.pk, sha256=plan.sha256)
    assert (done.made, done.rows, PriceItem.objects.count()) == ({"prices": 2}, [], 2)
    events = Event.objects.filter(subject_ref=str(kept.pk)).order_by("id")
    assert [event.action for event in events] == ["price_import.read", "price_import.carried_out"]
    assert {"create": 2, "invalid": 0}.items() <= events[1].facts.items()
    again = IMPORTER.planned(actor=SENDER, row=IMPORTER.keep(actor=SENDER, content=price_list(CARD)))
    assert again.is_empty


def test_faults_name_line_and_column_and_nothing_is_changed() -> None:
    rows = [("K-1", "dyrt", "2026-12-01"), ("K-2", "1", "i dag"), ("K-3", "=1+1", "2026-12-01"), ("K-4", "1", "2026-12-01", "x")]
    content = b"".join([csv_files.build(PRICES.headings, rows[:2]), *(f"{';'.join(row)}\r\n".encode() for row in rows[2:])])
    kept = IMPORTER.keep(actor=SENDER, content=content)
    plan = IMPORTER.planned(actor=SENDER, row=kept)
    shown: Any = pages.preview(RequestFactory().get("/"), plan).context["list"]
    outcomes = [shown.declared.columns[1].value_of(row) for row in shown.lines]
    assert [(row.place, each["state"], each["errors"][0]) for row, each in zip(shown.lines, outcomes, strict=True)] == [
        ("Priser 2", "Fel", ("Pris", "Skriv ett belopp, till exempel 95,00.")),
        ("Priser 3", "Fel", ("Gäller från och med", "Skriv ett datum, till exempel 2026-11-25.")),
        ("Priser 4", "Fel", ("Pris", tables.ODD["formula"])),
        ("Priser 5", "Fel", ("Artikelnummer", "Raden har fler celler än det finns rubriker.")),
    ]
    with pytest.raises(Invalid, match="rows-wrong"):
        IMPORTER.carry_out(actor=SENDER, import_id=kept.pk, sha256=plan.sha256)
    assert not PriceItem.objects.exists()


def test_what_changed_since_the_preview_is_refused() -> None:
    kept = IMPORTER.keep(actor=SENDER, content=price_list(CARD))
    plan = IMPORTER.planned(actor=SENDER, row=kept)
    PriceItem.objects.create(article_code="K-1", unit_price=1, vat_rate=25, valid_from=dt.date(2026, 12, 1))
    with pytest.raises(Stale):
        IMPORTER.carry_out(actor=SENDER, import_id=kept.pk, sha256=plan.sha256)


def test_a_row_that_only_the_service_refuses_is_named_and_undoes_all() -> None:
    kept = IMPORTER.keep(actor=SENDER, content=price_list(("K-2", "10", "2026-12-01"), ("K-2", "11", "2026-11-01")))
    plan = IMPORTER.planned(actor=SENDER, row=kept)
    with pytest.raises(Conflict) as refused:
        IMPORTER.carry_out(actor=SENDER, import_id=kept.pk, sha256=plan.sha256)
    assert refused.value.message.startswith("Inget har lästs in. På rad 3: Artikel K-2 har redan ett pris")
    assert not PriceItem.objects.exists()


def test_only_the_owner_opens_a_file() -> None:
    kept = IMPORTER.keep(actor=SENDER, content=price_list(CARD))
    with pytest.raises(NotFound):
        IMPORTER.own(actor=Sender("user:another"), import_id=kept.pk)
    with pytest.raises(Forbidden):
        IMPORTER.keep(actor=Sender("user:x", may=False), content=price_list(CARD))


def test_templates_have_the_columns_and_no_row() -> None:
    for content in (template_csv(PRICES), template_workbook(IMPORTER.tables)):
        with pytest.raises(Invalid, match="no-rows"):
            IMPORTER.keep(actor=SENDER, content=content)
    with pytest.raises(Invalid) as refused:
        IMPORTER.keep(actor=SENDER, content=csv_files.build(["Pris", "Färg"], []))
    assert refused.value.fields == {
        "file": ["Filen har kolumnen Färg, som inte finns i mallen. Ta bort den eller rätta rubriken."]
    }


def test_rows_are_shown_in_pages() -> None:
    rows = [(f"K-{number}", "1", "2026-12-01") for number in range(listing.PAGE + 1)]
    plan = IMPORTER.planned(actor=SENDER, row=IMPORTER.keep(actor=SENDER, content=price_list(*rows)))
    first = pages.preview(RequestFactory().get("/"), plan)
    shown: Any = first.context["list"]
    assert (len(first.shown), shown.next_url) == (listing.PAGE, f"/?visa=alla&efter={listing.PAGE}#rader")
    last = pages.preview(RequestFactory().get(shown.next_url), plan)
    shown = last.context["list"]
    assert ([row.get("article") for row in last.shown], shown.first_url) == ([f"K-{listing.PAGE}"], "/?visa=alla#rader")
    assert plan.count(RowOutcome.CREATE, "priser") == listing.PAGE + 1
