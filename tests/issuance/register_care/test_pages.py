"""Registervård on pages: the overview, a list with its views and bar, one decision about many rows, Dagen, files."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.offices.services import connect_office, create_office
from issuance.people.models.persons import Post
from issuance.records.models.events import Event
from issuance.register_care.domain import kinds
from issuance.register_care.models import CardReminder, WorkItem
from issuance.register_care.queries import of_person
from issuance.stock.models import StockLevel
from siths_portal.lib import clock
from siths_portal.lib.ids import new_id
from tests.issuance.organisations.test_pages import client_of
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.register_care.works import Mails, active, found, night, sent
from tests.issuance.world import SETUP
from tests.pressing import MAIN

MOST_QUERIES = 17
WAITING = reverse("register_care_list", args=[kinds.NOT_ACTIVATED.slug])
ENDED = reverse("register_care_list", args=[kinds.ENDED.slug])


def clerk(world: Any) -> Client:
    return client_of(world.officer())


def decide(client: Client, address: str, decision: str, *rows: WorkItem, **more: str) -> Any:
    return client.post(address, {"rad": [str(row.pk) for row in rows], "decision": decision, **more, **MAIN}, follow=True)


@pytest.fixture(autouse=True)
def nothing_planned(settings: Any) -> None:
    """Reminders are those of the tests alone."""
    settings.REMINDER_DAYS = []


def waiting(world: Any, *days_left: int) -> list[WorkItem]:
    for left in days_left:
        sent(world, world.post(), days_left=left)
    night()
    return found("not_activated")


def gone(world: Any) -> WorkItem:
    """A row about a person who has left."""
    post = world.post(given_name="Beda", surname="Lönn")
    active(world, post)
    Post.objects.filter(pk=post.pk).update(ended_at=clock.now())
    night()
    (row,) = found("ended")
    return row


def test_the_overview_names_what_is_to_do(world: Any, django_assert_max_num_queries: Any) -> None:
    client = clerk(world)
    assert "Inget att göra" in text_of(client.get(reverse("register_care")))
    assert "Den görs i natt" in text_of(client.get(reverse("register_care")))
    waiting(world, 2, 40)
    with django_assert_max_num_queries(MOST_QUERIES):
        page = client.get(reverse("register_care"))
    text = text_of(page)
    assert "2 saker väntar. 1 ska vara klar inom 7 dagar." in text
    assert f"Avstämd med HSA-katalogen och personregistret {clock.today()}." in text
    assert [row["title"] for row in page.context["rows"]] == ["Kort som har väntat länge"]
    assert f'href="{WAITING}"' in page.content.decode()


def test_a_list_has_views_a_bar_and_the_reminders(world: Any, django_assert_max_num_queries: Any, mails: Mails) -> None:
    first, *_others = waiting(world, 2, 3, 20, 70)
    CardReminder.objects.create(
        carrier_id=first.carrier_id, requested_by_ref="x", requested_at=clock.now(), state="sent", settled_at=clock.now()
    )
    without = Post.objects.get(person=found("not_activated")[1].person_id)
    Post.objects.filter(pk=without.pk).update(mail="")
    client = clerk(world)
    with django_assert_max_num_queries(MOST_QUERIES):
        page = client.get(WAITING)
    assert [(view.text, view.count) for view in page.context["list"].views] == [
        ("Alla", "4"), ("Den här veckan", "2"), ("Inte påminda", "3"), ("Mitt kontor", "4"), ("Mitt ansvar", "0"),
        ("Uppskjutna", "0"), ("Avslutade", "0"),
    ]  # fmt: skip
    assert [(share.name, share.text) for share in page.context["list"].shares] == [
        ("Inom 7 dagar", "2"),
        ("Inom 30 dagar", "1"),
        ("Senare", "1"),
    ]
    text = text_of(page)
    for said in ("1 påminnelse", "Ingen e-postadress", "Ingen än", "Kontor A", "Provsson, Prov"):
        assert said in text
    assert [line.due for line in page.context["list"].lines] == sorted(row.due for row in found("not_activated"))
    assert len(client.get(f"{WAITING}?visa=veckan").context["list"].lines) == 2
    assert len(client.get(f"{WAITING}?visa=hittepa").context["list"].lines) == 4
    assert len(Event.objects.filter(action="work.listed", subject_ref="not_activated").first().facts["persons"]) == 4


def test_a_list_is_narrowed_to_an_office(world: Any, django_assert_max_num_queries: Any) -> None:
    first, second = sorted(waiting(world, 2, 70), key=lambda row: row.due)
    client = clerk(world)
    assert 'name="kontor"' not in client.get(WAITING).content.decode(), "one office is no choice"
    other = create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
    connect_office(actor=SETUP, organisation_id=world.region.id, office_id=other.id)
    WorkItem.objects.filter(pk=second.pk).update(office=other)
    narrowed = f"{WAITING}?kontor={other.pk}"
    with django_assert_max_num_queries(MOST_QUERIES):
        page = client.get(narrowed)
    assert [line.id for line in page.context["list"].lines] == [second.pk]
    assert [view.count for view in page.context["list"].views[:2]] == ["1", "0"]
    assert page.context["list"].views[1].url == f"{WAITING}?visa=veckan&kontor={other.pk}"
    assert decide(client, narrowed, "take_on", second).request["QUERY_STRING"] == f"kontor={other.pk}"
    assert 'name="kontor"' not in client.get(f"{WAITING}?visa=kontor").content.decode()
    assert client.get(f"{WAITING}?kontor={first.pk}").status_code == 422


def test_the_ticked_rows_get_reminders(world: Any, mails: Mails) -> None:
    first, second, third = waiting(world, 2, 20, 70)
    client = clerk(world)
    done = decide(client, WAITING, "remind", first, second)
    assert "2 påminnelser skickas om en stund." in text_of(done)
    assert {row.carrier_id for row in CardReminder.objects.all()} == {first.carrier_id, second.carrier_id}
    again = decide(client, WAITING, "remind", second, third)
    assert (again.status_code, "de senaste 7 dagarna" in text_of(again)) == (409, True)
    assert [str(row.pk) in again.content.decode() for row in (second, third)] == [True, True]
    assert CardReminder.objects.count() == 2


def test_a_row_is_postponed_finished_and_opened_again(world: Any) -> None:
    row, client = gone(world), clerk(world)
    assert "Lönn, Beda" in text_of(client.get(ENDED))
    until = str(clock.today() + dt.timedelta(days=3))
    wrong = decide(client, ENDED, "postpone", row)
    assert (wrong.status_code, "Skriv skälet" in text_of(wrong), "Välj en dag" in text_of(wrong)) == (422, True, True)
    assert "1 rad är uppskjuten." in text_of(decide(client, ENDED, "postpone", row, until=until, reason="Ledig"))
    late = client.get(f"{ENDED}?visa=uppskjutna")
    assert f"Visas igen {until}" in text_of(late)
    assert "1 rad är avslutad." in text_of(decide(client, f"{ENDED}?visa=uppskjutna", "finish", row, reason="Nytt uppdrag"))
    assert "Nytt uppdrag" in text_of(client.get(f"{ENDED}?visa=avslutade"))
    assert "1 rad är öppen igen." in text_of(decide(client, f"{ENDED}?visa=avslutade", "reopen", row))
    assert "Du har ansvar för 1 rad." in text_of(decide(client, ENDED, "take_on", row))
    assert "Handläggare Provsson" in text_of(client.get(f"{ENDED}?visa=mina"))
    page = client.get(reverse("work_item", args=[row.pk]))
    history = text_of(page).split("Historik")[-1]
    newest_first = ["tog ansvar", "öppnades igen", "Nytt uppdrag", f"Visas igen: {until}", "En rad kom till"]
    assert sorted(newest_first, key=history.index) == newest_first
    assert reverse("carrier_revoke", args=[row.carrier_id]) in page.content.decode()


def test_the_rows_own_page_decides_as_the_list_does(world: Any) -> None:
    row, client = gone(world), clerk(world)
    address, until = reverse("work_item", args=[row.pk]), str(clock.today() + dt.timedelta(days=3))
    assert 'value="remind"' not in client.get(address).content.decode()
    wrong = client.post(address, {"decision": "postpone", **MAIN})
    assert (wrong.status_code, "Skriv skälet" in text_of(wrong)) == (422, True)
    late = client.post(address, {"decision": "postpone", "until": until, "reason": "Ledig", **MAIN}, follow=True)
    assert ("1 rad är uppskjuten." in text_of(late), 'value="reopen"' in late.content.decode()) == (True, True)
    client.post(address, {"decision": "finish", "reason": "Nytt uppdrag", **MAIN})
    assert client.post(address, {"decision": "finish", "reason": "Igen", **MAIN}).status_code == 422, "it can only be opened"
    assert "1 rad är öppen igen." in text_of(client.post(address, {"decision": "reopen", **MAIN}, follow=True))
    WorkItem.objects.update(state="gone", ended_at=clock.now())
    assert client.post(address, {"decision": "take_on", **MAIN}).status_code == 409
    assert 'name="decision"' not in client.get(address).content.decode()


def test_s39_a_reason_is_shown_as_it_was_written(world: Any) -> None:
    """In the list, its file, the row's history and on the form that is refused."""
    row, client, reason = gone(world), clerk(world), "=1+1 {{ 7*7 }}<script>alert(1)</script>"
    refused = decide(client, ENDED, "postpone", row, reason=reason)
    decide(client, ENDED, "finish", row, reason=reason)
    for page in (refused, client.get(f"{ENDED}?visa=avslutade"), client.get(reverse("work_item", args=[row.pk]))):
        assert "=1+1 {{ 7*7 }}&lt;script&gt;alert(1)&lt;/script&gt;" in page.content.decode()
        assert "<script>alert" not in page.content.decode()
    file = b"".join(client.get(f"{ENDED}?visa=avslutade&fil=csv").streaming_content).decode("utf-8-sig")
    assert f'"\'{reason}"' in file


def test_the_persons_page_and_history_tell_of_a_row(world: Any) -> None:
    row, client = gone(world), clerk(world)
    address = reverse("work_item", args=[row.pk])
    for page in (client.get(ENDED), client.get(reverse("person", args=[row.person_id]))):
        assert f'href="{address}"' in page.content.decode()
    listed = text_of(client.get(reverse("person_history", args=[row.person_id])))
    assert "Registervård: Avslutade personer med giltigt kort" in listed
    reader = client_of(world.officer(role=Role.REVOKER))
    assert address not in reader.get(reverse("person", args=[row.person_id])).content.decode()
    assert "Registervård:" not in text_of(reader.get(reverse("person_history", args=[row.person_id])))
    assert reader.get(address).status_code == 403


@pytest.mark.parametrize(("kind", "after"), [("ended", "revoked"), ("not_activated", "active")])
def test_a_row_whose_card_is_taken_care_of_offers_no_act_and_says_that_the_night_ends_it(
    world: Any, kind: str, after: str
) -> None:
    row = gone(world) if kind == "ended" else waiting(world, 7)[0]
    client, listed = clerk(world), reverse("register_care_list", args=[kinds.kind_of(kind).slug])
    own, person = reverse("work_item", args=[row.pk]), reverse("person", args=[row.person_id])
    act = reverse(kinds.kind_of(kind).acts[0].page, args=[row.carrier_id])
    assert [f'href="{act}"' in client.get(address).content.decode() for address in (listed, own)] == [True, True]
    Carrier.objects.filter(pk=row.carrier_id).update(state=after, origin="migrated")
    told = client.get(listed)
    assert f'href="{act}"' not in told.content.decode()
    assert "Klart. Raden försvinner i natt." in text_of(told)
    assert f'href="{act}"' not in client.get(own).content.decode()
    assert f'href="{own}"' not in client.get(person).content.decode()
    night()
    assert found(kind) == []


def test_rows_that_are_taken_care_of_take_no_place_on_the_persons_page(world: Any) -> None:
    row = gone(world)
    WorkItem.objects.bulk_create(
        WorkItem(
            kind="not_activated",
            state="open",
            subject_id=new_id(),
            organisation_id=row.organisation_id,
            person_id=row.person_id,
            carrier_id=row.carrier_id,
            due=clock.today() - dt.timedelta(days=100),
            found_at=clock.now(),
        )
        for _ in range(of_person.MOST)
    )
    page = clerk(world).get(reverse("person", args=[row.person_id]))
    assert reverse("work_item", args=[row.pk]) in page.content.decode()


@pytest.mark.parametrize("sent_rows", [[], ["inget-id"], ["00000000-0000-0000-0000-000000000001"]])
def test_wrong_rows_change_nothing(world: Any, sent_rows: list[str]) -> None:
    row, client = gone(world), clerk(world)
    answer = client.post(ENDED, {"rad": sent_rows, "decision": "take_on", **MAIN})
    assert answer.status_code in (404, 422)
    row.refresh_from_db()
    assert row.assignee_ref == ""
    assert client.post(ENDED, {"rad": [str(row.pk)], "decision": "ta bort", **MAIN}).status_code == 422


def test_a_protected_person_has_no_name_and_no_number(world: Any) -> None:
    officer = world.officer(protected=True)
    post = world.post(protected=True, given_name="Torsten", surname="Norberg")
    sent(world, post, days_left=40, actor=officer)
    night()
    text = text_of(client_of(officer).get(WAITING))
    assert "Skickas inte" in text
    (row,) = found("not_activated")
    number = post.person.identifiers.get().value
    for shown in (text, text_of(client_of(officer).get(reverse("work_item", args=[row.pk])))):
        assert "Skyddad person" in shown
        for secret in ("Norberg", "Torsten", f"{number[:8]}-{number[8:]}"):
            assert secret not in shown
    assert "Skyddad person" not in text_of(clerk(world).get(WAITING))


def test_a_list_is_fetched_as_a_file_with_an_event(world: Any) -> None:
    waiting(world, 2, 40)
    answer = clerk(world).get(f"{WAITING}?fil=csv")
    rows = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert (len(rows), rows[0].split(";")[0].strip('"')) == (3, "Namn")
    assert Event.objects.get(action="work.exported").facts == {"view": "alla", "file": "csv", "rows": 2}


def test_dagen_counts_what_it_does_not_tell_of_already(world: Any) -> None:
    waiting(world, 1)
    gone(world)
    client = clerk(world)
    assert "i Registervård" not in text_of(client.get(reverse("day"))), "two weeks are left"
    WorkItem.objects.update(due=clock.today())
    page = client.get(reverse("day"))
    assert "Registervård: Avslutade personer med giltigt kort. Ska vara gjort i dag." in text_of(page)
    assert "Ingen ansvarig" in text_of(page)
    assert f'href="{ENDED}"' in page.content.decode()
    assert "i Registervård" not in text_of(client_of(world.officer(role=Role.REVOKER)).get(reverse("day")))


def test_an_issuer_sees_stock_and_lists_on_dagen(world: Any) -> None:
    gone(world)
    WorkItem.objects.update(due=clock.today())
    StockLevel.objects.create(office=world.office, least=3)
    text = text_of(client_of(world.officer(role=Role.RESPONSIBLE_ISSUER)).get(reverse("day")))
    assert "Avslutade personer med giltigt kort: " in text, "the deep panel says what is to be done"
    assert "Har personen slutat ska kortet spärras. Ska vara gjort i dag." in text
    assert "Få reservkort på Kontor A" in text


def test_every_list_opens_for_an_issuer(world: Any) -> None:
    client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
    for kind in kinds.all_kinds():
        page = client.get(reverse("register_care_list", args=[kind.slug]))
        assert (page.status_code, kind.heading in text_of(page)) == (200, True), kind.code
