"""Kvittenstext over HTTP: versions, which text holds, two who write at once, and who may only read."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance.authz import Role
from issuance.receipt_texts.models import ReceiptText
from issuance.receipt_texts.services import set_receipt_text
from tests.issuance.organisations.test_pages import MOST_QUERIES, at, client_of, fields_of, issuer
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.world import SETUP

NAME = "organisation_receipt_text"
READ = "organisation_receipt_texts"


def write(world: Any, text: str) -> ReceiptText:
    return set_receipt_text(actor=SETUP, organisation_id=world.region.id, regional_addition=text)


def test_each_text_is_a_version_with_who_and_when(world: Any) -> None:
    client = issuer(world)
    assert "Ingen version än" in text_of(client.get(at(NAME, world.region)))
    for number, text in enumerate(("Ett\r\nför alla ", "Två", "Två", "")):
        data = {**fields_of(client.get(at(NAME, world.region))), "regional_addition": text}
        assert client.post(at(NAME, world.region), data).url == at(NAME, world.region), number
    rows = ReceiptText.objects.filter(organisation=world.region).order_by("version")
    assert [(row.version, row.regional_addition) for row in rows] == [(1, "Ett\nför alla"), (2, "Två"), (3, "")]
    page = client.get(at(NAME, world.region))
    assert [each.who for each in page.context["list"].lines] == ["Handläggare Provsson"] * 3
    assert "3 (gäller)" in text_of(page)
    assert "Kvittenstext ändrades Version: 3" in text_of(client.get(at("organisation_history", world.region)))


def test_without_its_own_the_text_from_above_is_shown(world: Any) -> None:
    write(world, "Regionens text")
    text = text_of(issuer(world).get(at(NAME, world.clinic)))
    assert "gäller texten från Regionen: Regionens text" in text


def test_the_second_of_two_is_told_and_loses_nothing_typed(world: Any) -> None:
    client = issuer(world)
    data = {**fields_of(client.get(at(NAME, world.region))), "regional_addition": "Mitt"}
    write(world, "Deras")
    response = client.post(at(NAME, world.region), data)
    assert response.status_code == 409
    assert "Regionalt tillägg: – → Deras" in text_of(response)
    sent = fields_of(response)
    assert sent == {"version": "1", "regional_addition": "Mitt"}
    assert client.post(at(NAME, world.region), sent).status_code == 302
    assert ReceiptText.objects.filter(organisation=world.region).count() == 2


def test_a_sub_organisation_goes_back_to_the_text_from_above(world: Any) -> None:
    client, address = issuer(world), at(NAME, world.clinic)
    write(world, "Regionens text")
    assert 'name="samma"' not in client.get(address).content.decode()
    set_receipt_text(actor=SETUP, organisation_id=world.clinic.id, regional_addition="Klinikens")
    page = client.get(address)
    assert "Då gäller texten från Regionen, även när den ändras: Regionens text" in text_of(page)
    assert "Tills den får en" not in text_of(page)
    stale = client.post(address, {"samma": "1", "version": "7"}, follow=True)
    assert "Kvittenstexten ändrades sedan du öppnade sidan" in text_of(stale)
    done = client.post(address, {"samma": "1", "version": "1"}, follow=True)
    for expected in ("Texten från organisationen ovanför gäller.", "gäller texten från Regionen: Regionens text", "2 (gäller)"):
        assert expected in text_of(done), expected
    assert fields_of(done) == {"version": "2", "regional_addition": ""}
    assert "gällde redan" in text_of(client.post(address, {"samma": "1", "version": "1"}, follow=True))
    assert "Texten från Regionen gäller. Regionens text" in text_of(client.get(at(READ, world.clinic)))
    history = text_of(client.get(at("organisation_history", world.clinic)))
    assert "Regionalt tillägg: från Klinikens → till samma som ovanför" in history
    for row in (world.region, world.clinic):
        assert 'name="samma"' not in client.get(at(NAME, row)).content.decode()
    assert "ingen kvittenstext att få ovanifrån" in text_of(client.post(at(NAME, world.region), {"samma": "1"}, follow=True))
    back = {**fields_of(client.get(address)), "regional_addition": "Klinikens"}
    assert client.post(address, back).status_code == 302
    emptied = client.post(address, {**fields_of(client.get(address)), "regional_addition": ""}, follow=True)
    assert "Texten är tom, så inget läggs till på kvittenser, inte heller texten från organisationen ovanför." in text_of(emptied)
    assert ReceiptText.objects.filter(organisation=world.clinic).count() == 4


def test_what_is_too_long_or_unprintable_is_refused(world: Any) -> None:
    client = issuer(world)
    for text, said in (("x" * 5001, "Skriv högst 5000 tecken"), ("a\x1bb", "inte går att skriva ut")):
        response = client.post(at(NAME, world.region), {"version": "0", "regional_addition": text})
        assert (response.status_code, said in text_of(response)) == (422, True)
    assert not ReceiptText.objects.exists()


def test_what_a_word_processor_leaves_in_a_text_does_not_stop_it(world: Any) -> None:
    """Spaces of other widths and tabs are spaces, what nobody sees is gone; what turns the direction of text round is refused."""
    client = issuer(world)
    sent = {"version": "0", "regional_addition": "\ufeffBox\u00a017703\r\n\tRegi\u00adonen\u200b, 118\u202f93"}
    assert client.post(at(NAME, world.region), sent).status_code == 302
    assert ReceiptText.objects.get().regional_addition == "Box 17703\n Regionen, 118 93"
    response = client.post(at(NAME, world.region), {"version": "1", "regional_addition": "a\u202eb"})
    assert response.status_code == 422


def test_many_versions_are_paged_within_few_queries(world: Any) -> None:
    client = issuer(world)
    write(world, "Text")
    client.get(at(NAME, world.region))
    with CaptureQueriesContext(connection) as few:
        client.get(at(NAME, world.region))
    for number in range(24):
        write(world, f"Text {number}")
    with CaptureQueriesContext(connection) as many:
        first = client.get(at(NAME, world.region))
    assert len(few) == len(many) <= MOST_QUERIES
    second = client.get(first.context["list"].next_url.split("#")[0])
    assert [each.version for each in second.context["list"].lines] == [5, 4, 3, 2, 1]
    assert client.get(f"{at(NAME, world.region)}?efter=x").context["list"].lines[0].version == 25
    oldest = client.get(f"{at(NAME, world.region)}?ordning=version")
    assert [each.version for each in oldest.context["list"].lines][:3] == [1, 2, 3]


@pytest.mark.parametrize("role", [Role.READER, Role.GLOBAL_READER], ids=str)
def test_who_may_only_read_reads_what_holds_and_each_version(world: Any, role: Role) -> None:
    client = client_of(world.officer(role=role))
    assert "Ingen text är bestämd" in text_of(client.get(at(READ, world.region)))
    write(world, "Ett")
    write(world, "Två")
    page = client.get(at(READ, world.region))
    text = text_of(page)
    for expected in ("Version 2 gäller", "2 (gäller)", "Två", "Ett", "Systemet: uppsättning"):
        assert expected in text, expected
    assert at(NAME, world.region) not in page.content.decode()
    assert client.get(at(NAME, world.region)).status_code == 403
    assert "Den från Regionen gäller" not in text_of(client.get(at(READ, world.clinic)))
    assert "Texten från Regionen gäller. Två" in text_of(client.get(at(READ, world.clinic)))
    write(world, "")
    assert "Version 3 gäller. Texten är tom" in text_of(client.get(at(READ, world.region)))
    assert "Texten från Regionen gäller. Den texten är tom" in text_of(client.get(at(READ, world.clinic)))
    assert at(READ, world.region) in client.get(at("organisation", world.region)).content.decode()


def test_who_may_edit_is_led_there(world: Any) -> None:
    assert f'href="{at(NAME, world.region)}"' in issuer(world).get(at(READ, world.region)).content.decode()


def test_the_history_tells_the_text_before_and_after(world: Any) -> None:
    long = "Frågor besvaras av kundservice.\n" * 9
    for text in ("Ett", "Två", long, ""):
        write(world, text)
    page = client_of(world.officer(role=Role.READER)).get(at("organisation_history", world.region))
    text = text_of(page)
    for expected in (
        "Kvittenstext ändrades Version: 1 Regionalt tillägg: från – → till Ett",
        "Kvittenstext ändrades Version: 2 Regionalt tillägg: från Ett → till Två",
        "Version: 3 Regionalt tillägg: visa före och efter Före Två Efter Frågor besvaras av kundservice. Frågor",
    ):
        assert expected in text, expected
    (removed, *_) = [entry for entry in page.context["list"].lines if entry.what == "Kvittenstext ändrades"]
    (change,) = removed.changes
    assert (change.before, change.after, change.is_long) == (long.strip(), "–", True)


def test_long_lists_and_histories_of_texts_take_few_queries(world: Any) -> None:
    client = client_of(world.officer(role=Role.READER))
    write(world, "Text")
    for name in (READ, "organisation_history"):
        client.get(at(name, world.region))
        with CaptureQueriesContext(connection) as few:
            client.get(at(name, world.region))
        for number in range(24):
            write(world, f"{name} {number}")
        with CaptureQueriesContext(connection) as many:
            first = client.get(at(name, world.region))
        assert len(many) <= len(few) <= MOST_QUERIES, name  # the history's first page names also what older events name
        if name == READ:
            second = client.get(first.context["list"].next_url.split("#")[0])
            assert [each.version for each in second.context["list"].lines] == [5, 4, 3, 2, 1]
