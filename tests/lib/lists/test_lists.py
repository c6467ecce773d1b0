"""The list component on real rows: keyset pages with ties and empty values, and a whole list declared here."""

import csv
import datetime as dt
import io
import itertools
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import django_filters
import openpyxl
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils.translation import ngettext_lazy

from issuance.offices.models import Office
from issuance.organisations.models import IssuingArea
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, TooManyRequests
from siths_portal.lib.http.rate_limits import MinuteBudget
from siths_portal.lib.lists import Column, Cursor, Empty, FormChoice, Key, Kind, Lines, List, Order, Rows, Tag, keyset, listing
from siths_portal.lib.pages.forms import Form

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 5, 4, 10, tzinfo=dt.UTC)


@pytest.fixture
def offices() -> list[Office]:
    """Seven offices: two of one name, three never closed, two closed at the same moment."""
    area = IssuingArea.objects.create(name="Område", scope_path="/prov/", created_at=NOW)
    closed = (None, NOW, NOW - dt.timedelta(days=3), None, NOW, None, NOW - dt.timedelta(days=1))
    names = ("Öster", "Ek", "Alm", "Ek", "Åsen", "Bok", "Cedern")
    return Office.objects.bulk_create(
        Office(area=area, office_number=f"{number:010}", name=name, city=("Lindby", "Ekköping")[number % 2], closed_at=at)
        for number, (name, at) in enumerate(zip(names, closed, strict=True))
    )


def walked(by: tuple[str | Key, ...], *, descending: bool, limit: int) -> tuple[list[Office], list[Office]]:
    """All rows by going on from page to page, and those before the last page by going back from it."""
    rows, forth, page = Office.objects.all(), [], None
    while page is None or page.next:
        cursor = Cursor(str(page.next)) if page else None
        page = keyset.page(rows, by, descending=descending, cursor=cursor, limit=limit)
        forth += page.lines
    back: list[Office] = []
    while page.previous:
        page = keyset.page(rows, by, descending=descending, cursor=Cursor(str(page.previous), backwards=True), limit=limit)
        back = [*page.lines, *back]
    return forth, back


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("by", [("name",), ("closed_at",), ("closed_at", "name"), ("-closed_at",), ("pk",), ("area__name",)])
def test_pages_put_together_are_the_list_both_ways(
    offices: list[Office], by: tuple[str, ...], descending: bool, limit: int
) -> None:
    whole = list(Office.objects.order_by(*keyset.ordering(Office.objects.all(), by, descending=descending)))
    forth, back = walked(by, descending=descending, limit=limit)
    assert forth == whole
    last = len(whole) % limit or limit
    assert back == whole[: len(whole) - last]


@pytest.mark.parametrize("descending", [False, True])
def test_rows_without_a_value_come_last_both_ways(offices: list[Office], descending: bool) -> None:
    found = keyset.page(Office.objects.all(), ["closed_at"], descending=descending, limit=7).lines
    days = [office.closed_at for office in found]
    assert days[4:] == [None] * 3
    assert days[:4] == sorted((day for day in days if day), reverse=descending)


def test_a_cursor_that_is_none_of_the_list_begins_from_the_start(offices: list[Office]) -> None:
    rows = Office.objects.filter(city="Lindby")
    first = keyset.page(rows, ["name"], limit=2)
    hidden = next(office for office in offices if office.city != "Lindby")
    for row, backwards in itertools.product(("", "x", "\0", str(hidden.pk), str(clock.now())), (False, True)):
        assert keyset.page(rows, ["name"], cursor=Cursor(row, backwards), limit=2) == first


def test_going_back_to_less_than_a_page_gives_the_first_one(offices: list[Office]) -> None:
    whole = keyset.page(Office.objects.all(), ["name"], limit=7).lines
    back = keyset.page(Office.objects.all(), ["name"], cursor=Cursor(str(whole[2].pk), backwards=True), limit=3)
    assert back.lines == whole[:3]
    assert back.previous is None


def test_rows_by_primary_key_need_no_look_at_the_cursors_row(
    offices: list[Office], django_assert_num_queries: Callable[..., Any]
) -> None:
    whole = sorted(offices, key=lambda office: office.pk, reverse=True)
    cursor = Cursor(str(whole[2].pk))
    Office.objects.filter(pk=whole[2].pk).delete()
    with django_assert_num_queries(1):
        assert keyset.page(Office.objects.all(), ["pk"], descending=True, cursor=cursor, limit=2).lines == tuple(whole[3:5])


def test_an_order_without_its_index_sorts_what_the_conditions_find() -> None:
    rows = Event.objects.filter(action="x")
    by, cursor = (Key("pk", indexed=False),), Cursor("7")
    assert str(rows.order_by(*keyset.ordering(rows, by, descending=True)).query).endswith('("issuance_event"."id" + 0) DESC')
    for odd in ("x", "-1", "9" * 30, "٣"):
        assert keyset.key_of(Event, Cursor(odd)) is None
    assert keyset.key_of(Event, cursor) == 7


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order(""), "Öster Ek Alm Åsen Bok"),
        (Order("namn"), "Alm Bok Ek Åsen Öster"),
        (Order("namn", descending=True), "Öster Åsen Ek Bok Alm"),
        (Order("tal"), "Alm Ek Bok Öster Åsen"),
        (Order("tal", descending=True), "Bok Ek Alm Åsen Öster"),
    ],
)
def test_lines_that_are_read_already_are_sorted_like_rows(order: Order, expected: str) -> None:
    given = [("Öster", None), ("Ek", 2), ("Alm", 1), ("Åsen", None), ("Bok", 2)]
    lines = Lines([{"name": name, "number": number} for name, number in given])
    by = {"namn": ["name"], "tal": ["number", "-name"]}.get(order.key, [])
    found = lines.page(order, by, None, 3).lines
    assert " ".join(line["name"] for line in found) == expected
    assert list(lines.every(order, by)) == list(found)


def test_lines_that_are_read_already_can_be_paged_both_ways() -> None:
    def page(row: str = "", *, backwards: bool = False) -> tuple[str, Any, Any]:
        found = Lines("abcde", paged=True).page(Order(""), [], Cursor(row, backwards) if row else None, 2)
        return "".join(found.lines), found.previous, found.next

    assert page() == page("x") == page("-1") == page("²") == ("ab", None, 2)
    assert page("2") == page("4", backwards=True) == ("cd", 2, 4)
    assert page("4") == ("e", 4, None)
    assert page("1", backwards=True) == ("ab", None, 2), "a whole page"
    assert page("99") == ("", 5, None)


class PickedList(List[dict[str, Any]]):
    """Lines that a form chooses among."""

    columns = (
        Column(
            key="namn", heading="Namn", value="name", sort="name", choice=FormChoice(field="kontor", off=lambda line: line["off"])
        ),
        Column(key="tal", heading="Tal", value="number", hide_empty=True),
    )
    caption = "Kontor"
    picked = ("b", "c")
    choice_error = "fel"

    def rows(self) -> Lines[dict[str, Any]]:
        reasons = {"a": "", "b": "", "c": "Nej"}
        return Lines([{"id": key, "name": key.upper(), "off": reason, "number": None} for key, reason in reasons.items()])


def test_a_column_can_be_the_choice_of_a_form() -> None:
    shown = PickedList(RequestFactory().get("/")).shown()
    page = render_to_string("components/list.html", {"list": shown})
    boxes = [box.split(">")[0] for box in page.split("<input ")[1:]]
    assert [("checked" in box, "disabled" in box) for box in boxes] == [(False, False), (True, False), (False, True)]
    assert all('type="checkbox" name="kontor"' in box and 'aria-invalid="true"' in box for box in boxes)
    assert 'aria-describedby="kontor_3_why fel"' in boxes[2]
    assert '<span class="function-reason" id="kontor_3_why">Nej</span>' in page
    assert '<label for="kontor_1">A</label>' in page
    assert [head.text for head in shown.heads] == ["Namn"], "no line has a number"
    assert "Kryssen följer inte med" in page


class OfficeFilter(django_filters.FilterSet):
    """By state, as a new list would have it."""

    status = django_filters.ChoiceFilter(
        label="Status", empty_label="Alla", choices=[("oppet", "Öppet"), ("stangt", "Stängt")], method="by_state"
    )

    class Meta:
        form = Form

    def by_state(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(Q(closed_at=None) if value == "oppet" else ~Q(closed_at=None))


class OfficeList(List[Office]):
    """Ten columns."""

    columns = (
        Column(key="namn", heading="Kontor", value="name", sort="name", link=lambda each: f"/kontor/{each.pk}/"),
        Column(
            key="nummer",
            heading="Kontorsnummer",
            value="office_number",
            kind=Kind.NUMBER,
            below=lambda each: [each.area.name],
            sort="office_number",
        ),
        Column(key="ort", heading="Ort", value="city", sort=("city", "name")),
        Column(key="postnummer", heading="Postnummer", value="postal_code", kind=Kind.NUMBER),
        Column(key="gata", heading="Gatuadress", value="street_address"),
        Column(key="mottagare", heading="Mottagare", value="internal_recipient"),
        Column(key="kommentar", heading="Fakturakommentar", value="invoice_comment"),
        Column(key="omrade", heading="Utgivningsområde", value=lambda each: each.area.name),
        Column(key="stangt", heading="Stängt", value="closed_at", kind=Kind.SECOND, sort="closed_at"),
        Column(key="status", heading="Status", kind=Kind.TAG, value=lambda each: STATES[each.closed_at is None]),
    )
    caption = "Kontor"
    order = "namn"
    page_size = 3
    filters = OfficeFilter
    files = ("csv", "xlsx")
    file_name = "kontor"
    empty = Empty("Inget kontor än", "Skapa det första.")

    def fixed(self) -> list[tuple[str, str]]:
        return [("visa", "allt")] if "visa" in self.request.GET else []

    def rows(self) -> Rows[Office, Office]:
        return Rows(Office.objects.select_related("area"))

    def note_page(self, lines: Any) -> None:
        noted.append(len(lines))

    def note_file(self, kind: str, rows: int) -> None:
        noted.append((kind, rows))


STATES = {True: Tag("active", "Öppet"), False: Tag("cancelled", "Stängt")}
noted: list[object] = []


@pytest.fixture
def ask() -> Callable[..., OfficeList]:
    noted.clear()
    return lambda url="/", **parameters: OfficeList(RequestFactory().get(url, parameters))


def html(found: OfficeList) -> str:
    return render_to_string("components/list.html", {"list": found.shown()})


def names(found: OfficeList) -> list[str]:
    return [office.name for office in found.shown().lines]


def test_a_declared_list_sorts_and_turns_its_pages(offices: list[Office], ask: Callable[..., OfficeList]) -> None:
    first = ask().shown()
    assert [line.name for line in first.lines] == ["Alm", "Bok", "Cedern"]
    assert first.count == "7 rader"
    assert noted == [3]
    second = ask(first.next_url)
    assert names(second) == ["Ek", "Ek", "Åsen"]
    assert names(ask(second.shown().previous_url)) == ["Alm", "Bok", "Cedern"]
    assert [head.state for head in first.heads][:2] == ["ascending", ""]
    assert names(ask(first.heads[0].sort)) == ["Öster", "Åsen", "Ek"], "a second click turns the order round"
    assert names(ask(ordning="-stangt"))[0] in ("Ek", "Åsen")
    assert first.heads[3].sort == ""
    assert names(ask(ordning="gata")) == ["Alm", "Bok", "Cedern"], "what cannot be sorted keeps the default order"


def test_a_declared_list_filters_and_keeps_what_is_chosen(offices: list[Office], ask: Callable[..., OfficeList]) -> None:
    closed = ask(status="stangt")
    assert names(closed) == ["Alm", "Cedern", "Ek"]
    shown = closed.shown()
    assert "status=stangt" in shown.next_url
    assert all("status=stangt" in head.sort for head in shown.heads if head.sort)
    assert shown.clear_url == "/"
    folds = [re.findall("<details[^>]*>", html(each)) for each in (ask(), closed, ask(status="borta"))]
    assert folds == [*[['<details class="filter-fold">']] * 2, ['<details class="filter-fold" open>']]
    assert [(chip.text, names(ask(chip.url))[:2]) for chip in shown.chips] == [("Status: Stängt", ["Alm", "Bok"])]
    wrong = ask(status="borta").shown()
    assert (wrong.status, wrong.lines, wrong.empty) == (422, (), None)
    Office.objects.all().delete()
    assert "Inget kontor än" in html(ask())
    assert "Inget stämmer med urvalet" in html(ask(status="oppet"))
    assert "Här tar listan slut" in html(ask(efter=str(offices[0].pk)))


def test_a_declared_list_becomes_files(
    offices: list[Office], ask: Callable[..., OfficeList], monkeypatch: pytest.MonkeyPatch
) -> None:
    Office.objects.filter(name="Alm").update(street_address="=1+1")
    answer: Any = ask(status="stangt", fil="csv").answer(lambda shown: pytest.fail("a file was asked for"))
    head, *rows = csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig")), delimiter=";")
    assert head[:3] == ["Kontor", "Kontorsnummer", "Ort"]
    assert [row[0] for row in rows] == ["Alm", "Cedern", "Ek", "Åsen"]
    assert (rows[0][4], rows[0][8], rows[0][9]) == ("'=1+1", "2026-05-01 12:00:00", "Stängt")
    assert noted == [("csv", 4)]
    book = openpyxl.load_workbook(io.BytesIO(ask(fil="xlsx", ordning="-namn").file("xlsx").content))  # type: ignore[attr-defined]
    assert [row[0] for row in book.active.iter_rows(values_only=True)][:3] == ["Kontor", "Öster", "Åsen"]  # type: ignore[union-attr]
    monkeypatch.setattr(listing, "FILE_LIMITS", {"csv": 6})
    with pytest.raises(Conflict, match="list-too-long"):
        ask().file("csv")
    assert ask(status="borta", fil="csv").file("csv").status_code == 302


def test_a_declared_list_is_a_table_that_a_phone_shows_as_blocks(
    offices: list[Office], ask: Callable[..., OfficeList], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = html(ask())
    assert '<caption id="lista">Kontor</caption>' in page
    assert page.count('<th scope="row">') == 3
    assert page.count('<th scope="col"') == 10
    assert 'aria-sort="ascending"' in page
    assert 'class="ds-table stacked"' in page
    assert 'data-lead="Sortera efter"' in page
    assert page.count('data-way="stigande"') == 1
    assert 'data-way="fallande"' in html(ask(ordning="-namn"))
    moment = '<time datetime="2026-05-01T12:00:00+02:00">2026-05-01 12:00:00</time>'
    assert f'<td class="moment" data-label="Stängt">{moment}</td>' in page
    assert '<span class="history-fact">Område</span></td>' in page
    assert page.count("data-label=") == 27
    assert f'<a class="ds-link" href="/kontor/{next(each.pk for each in offices if each.name == "Alm")}/">Alm</a>' in page
    assert "Stängt</span></span>" in page
    long = Column[Office](key="ort", heading="Organisationsnummer", value="city")
    monkeypatch.setattr(OfficeList, "columns", (*OfficeList.columns[:1], long))
    assert 'class="ds-table stacked stacked-wide"' in html(ask())


def test_a_declared_list_keeps_what_says_which_list_it_is(offices: list[Office], ask: Callable[..., OfficeList]) -> None:
    shown = ask(visa="allt", status="oppet").shown()
    assert shown.clear_url == "/?visa=allt"
    assert all("visa=allt" in head.sort for head in shown.heads if head.sort)
    assert '<input type="hidden" name="visa" value="allt">' in html(ask(visa="allt"))


def test_a_total_that_the_caller_knows_is_not_counted(
    offices: list[Office], django_assert_num_queries: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OfficeList, "filters", None)
    monkeypatch.setattr(OfficeList, "rows", lambda _self: Rows(Office.objects.select_related("area"), total=9))
    monkeypatch.setattr(OfficeList, "empty", Empty("Inget", "Skapa ett.", more=["Eller två."], heading_id="inget"))
    with django_assert_num_queries(1):
        assert OfficeList(RequestFactory().get("/")).shown().count == "9 rader"
    Office.objects.all().delete()
    page = html(OfficeList(RequestFactory().get("/")))
    assert '<h2 id="inget">Inget</h2>' in page
    assert "<p>Skapa ett.</p>\n  <p>Eller två.</p>" in page


def test_a_filter_that_would_put_typed_text_into_addresses_is_refused() -> None:
    class Named(django_filters.FilterSet):
        namn = django_filters.CharFilter()

    with pytest.raises(ImproperlyConfigured, match="namn"):
        type("Leaky", (List,), {"filters": Named})


def test_a_count_stops_where_the_list_says(offices: list[Office], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OfficeList, "count_to", 5)
    monkeypatch.setattr(OfficeList, "counted_as", ngettext_lazy("{n} kontor", "{n} kontor"))
    assert OfficeList(RequestFactory().get("/")).shown().count == "Fler än 5 kontor"
    assert Order.parse("-namn", ["namn"], Order("nummer")).text == "-namn"


def test_s47_a_person_fetches_so_many_files_a_minute(
    offices: list[Office], ask: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_FILES", MinuteBudget())
    settings.LIST_FILES_PER_MINUTE_BY_PERSON = 2
    moment = clock.now()

    def fetch(who: str, hsa_id: str = "") -> int:
        found = ask(fil="csv")
        found.request.user = SimpleNamespace(subject_ref=who, hsa_id=hsa_id)
        return int(found.file("csv").status_code)

    with clock.moved_to(moment):
        assert [fetch("user:1"), fetch("user:1"), fetch("user:2")] == [200, 200, 200]
        with pytest.raises(TooManyRequests) as refused:
            fetch("user:1")
        assert 1 <= (refused.value.retry_after or 0) <= 61
        settings.LIST_FILES_PER_MINUTE = 3
        with pytest.raises(TooManyRequests):
            fetch("user:3")
    settings.LIST_FILES_PER_MINUTE, settings.LIST_FILES_PER_MINUTE_BY_ORGANISATION = 300, 2
    with clock.moved_to(moment + dt.timedelta(minutes=1)):
        assert fetch("user:1") == 200
        assert [fetch("user:4", "TST2321000131-A1"), fetch("user:5", "tst2321000131-B2")] == [200, 200]
        with pytest.raises(TooManyRequests):
            fetch("user:6", "TST2321000131-C3")
        assert fetch("user:7", "TST5565594230-D4") == 200
