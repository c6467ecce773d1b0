"""Importera från fil over HTTP: the file, its preview, what came of it, and the files that can be fetched."""

import datetime as dt
import html
import io
import re
from dataclasses import replace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from issuance.authz import Role
from issuance.imports.domain import SETUP_TABLES, SetupTable
from issuance.imports.models import SetupImport
from issuance.offices.models import Office
from issuance.offices.services import close_office, create_office
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.areas import create_area
from issuance.records.models.events import Event
from issuance.records.services import uploads
from issuance.roles.models.grants import RoleGrant
from siths_portal.lib import clock
from siths_portal.lib.errors import TooManyRequests
from siths_portal.lib.files import tables, workbooks
from siths_portal.lib.http.rate_limits import MinuteBudget
from tests.issuance.imports.test_setup_import import OFFICE, ORGANISATION, csv, table, whole
from tests.issuance.organisations.test_pages import MOST_QUERIES, admin, at, client_of, issuer
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.world import SETUP

START = "/administrera/import/"


def send(client: Client, content: bytes, name: str = "fil.csv") -> Any:
    return client.post(START, {"file": SimpleUploadedFile(name, content)})


def preview_of(client: Client, content: bytes) -> Any:
    answer = send(client, content)
    assert answer.status_code == 302, text_of(answer)
    return client.get(answer["Location"])


class TestTheWalk:
    """From the file to what was made."""

    def test_looked_at_then_carried_out_then_linked(self, world: Any) -> None:
        client = issuer(world)
        content, post = whole(world)
        page = preview_of(client, content)
        text = text_of(page)
        for said in (
            "Inget är inläst än.", "Nya organisationer 2", "Nya kontor 1", "Nya behörighetsroller 1", "Organisationer 3",
            "Ny organisation under Regionen", "Prov Ny får rollen ID-administratör i Vårdcentralen", "Alla rader (4)",
        ):  # fmt: skip
            assert said in text, said
        shown = Event.objects.get(action="setup.people_shown")
        assert shown.facts == {"persons": [str(post.person_id)]}
        answer = client.post(page.request["PATH_INFO"], {"plan": page.context["plan"].sha256})
        assert answer.status_code == 302
        result = client.get(answer["Location"])
        made = Organisation.objects.get(name="Vårdcentralen")
        assert f'href="{at("organisation", made)}"' in result.content.decode()
        assert "Kopplingar mellan kontor och organisationer 2" in text_of(result)
        again = client.post(answer["Location"], {"plan": page.context["plan"].sha256})
        assert again.status_code == 200
        assert Office.objects.filter(name="Kontor B").count() == 1
        assert "hsa" not in answer["Location"]

    def test_errors_stand_first_with_their_column_and_nothing_can_be_carried_out(self, world: Any) -> None:
        client = issuer(world)
        wrong = [{**OFFICE, "name": f"Kontor {n}", "postal_code": "1"} for n in range(60)]
        page = preview_of(client, csv(SetupTable.OFFICES, OFFICE, *wrong))
        assert "60 rader är fel." in text_of(page)
        assert "Postnummer: Skriv postnumret med 5 siffror" in text_of(page)
        assert ">Läs in filen</button>" not in page.content.decode()
        assert [row.place for row in page.context["list"].lines][:2] == ["Kontor 3", "Kontor 4"]
        assert len(page.context["list"].lines) == 50
        last = client.get(page.context["list"].next_url)
        assert (len(last.context["list"].lines), last.context["list"].next_url) == (10, "")
        answer = client.post(page.request["PATH_INFO"], {"plan": page.context["plan"].sha256})
        assert (answer.status_code, answer.context["refusal"]) == (422, "Rätta raderna i filen och läs in den igen.")

    def test_s46_rows_that_name_who_is_hidden_or_nobody_leave_at_the_end_of_a_step(self, world: Any, held: list[float]) -> None:
        client, role = issuer(world), {"role": "ID-administratör", "organisation": world.clinic.hsa_id}
        hidden, seen = world.post(world.clinic, protected=True), world.post(world.clinic)
        for hsa_id in (hidden.hsa_id, "TST2321000131-ZZZZZZZZ"):
            held.clear()
            page = preview_of(client, csv(SetupTable.ROLES, {**role, "hsa_id": hsa_id}))
            assert "Personen finns inte, eller" in text_of(page)
            assert len(held) == 2, "the file and its preview"
        page = preview_of(client, csv(SetupTable.ROLES, {**role, "hsa_id": seen.hsa_id}))
        assert len(held) == 3, "what every file costs, before anything of it is told"
        assert "får rollen ID-administratör" in text_of(page)

    def test_a_preview_that_no_longer_holds_is_shown_anew(self, world: Any) -> None:
        client = issuer(world)
        page = preview_of(client, csv(SetupTable.OFFICES, OFFICE, {**OFFICE, "name": "Kontor C"}))
        create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
        answer = client.post(page.request["PATH_INFO"], {"plan": page.context["plan"].sha256})
        assert answer.status_code == 409
        assert "har ändrats sedan förhandsgranskningen" in text_of(answer)
        assert "Finns redan (1)" in text_of(answer)
        assert client.post(page.request["PATH_INFO"], {"plan": answer.context["plan"].sha256}).status_code == 302
        assert Office.objects.filter(name="Kontor B").count() == 1

    def test_roles_are_given_by_who_logged_in_a_moment_ago(self, world: Any) -> None:
        client = issuer(world)
        role = {"hsa_id": world.post(world.clinic).hsa_id, "role": "Läs", "organisation": "TST2321000131-1004"}
        page, office = preview_of(client, csv(SetupTable.ROLES, role)), preview_of(client, csv(SetupTable.OFFICES, OFFICE))
        with clock.moved_to(clock.now() + dt.timedelta(minutes=14)):
            client.get(START)
        with clock.moved_to(clock.now() + dt.timedelta(minutes=16)):
            answer = client.post(page.request["PATH_INFO"], {"plan": page.context["plan"].sha256})
            assert answer["Location"].startswith("/logga-in/?")
            assert "skickat" not in answer["Location"]  # it is not the session that has ended
            assert not RoleGrant.objects.filter(role="reader").exists()
            plan = {"plan": office.context["plan"].sha256}
            assert client.post(office.request["PATH_INFO"], plan)["Location"] == office.request["PATH_INFO"]

    def test_a_file_that_cannot_be_taken_is_said_at_its_field(self, world: Any) -> None:
        client = issuer(world)
        for content, said in (
            (b"x" * (tables.MAX_BYTES + 1), "Filen är för stor. Högst 2 MB tas emot."),
            (b"", "Filen är tom. Välj en annan."),
            (b"PK\x03\x04nej", "Filen går inte att läsa."),
            (b"a;b\r\n1;2", "Rubrikraden är inte någon av mallarnas."),
        ):
            answer = send(client, content)
            assert answer.status_code == 422
            assert said in text_of(answer)
        assert not SetupImport.objects.exists()

    def test_how_much_is_done_at_once_is_said_before_and_at_the_file(self, world: Any) -> None:
        client = issuer(world)
        assert "Högst 2 MB, och högst 1 000 nya rader åt gången." in text_of(client.get(START))
        rows = [{**OFFICE, "name": f"Kontor {n}"} for n in range(1001)]
        answer = send(client, csv(SetupTable.OFFICES, *rows))
        assert answer.status_code == 422
        assert "Filen har 1 001 nya rader." in text_of(answer)
        there = create_office(actor=SETUP, area_id=world.area.id, name="Kontor 0", invoice_comment="B")
        address = send(client, csv(SetupTable.OFFICES, *rows))["Location"]
        close_office(actor=SETUP, office_id=there.pk)
        page = client.get(address)
        assert "Filen har 1 001 nya rader." in text_of(page)
        assert ">Läs in filen</button>" not in page.content.decode()
        answer = client.post(address, {"plan": page.context["plan"].sha256})
        assert (answer.status_code, Office.objects.filter(name="Kontor 1").exists()) == (422, False)

    def test_a_long_file_is_looked_at_within_few_queries(self, world: Any) -> None:
        client = issuer(world)
        post = world.post(world.clinic).hsa_id
        units = [
            {**ORGANISATION, "name": f"E {n}", "hsa_id": f"TST2321000131-5{n:03}", "parent": "TST2321000131-1000"}
            for n in range(300)
        ]
        offices = [{**OFFICE, "name": f"K {n}", "organisations": "TST2321000131-5000"} for n in range(300)]
        roles = [{"hsa_id": post, "role": "Läs", "organisation": f"TST2321000131-5{n:03}"} for n in range(300)]
        sheets = [table(SetupTable.ORGANISATIONS, *units), table(SetupTable.OFFICES, *offices), table(SetupTable.ROLES, *roles)]
        answer = send(client, workbooks.build(sheets), "fil.xlsx")
        with CaptureQueriesContext(connection) as queries:
            page = client.get(f"{answer['Location']}?visa=nytt&efter=850")
        assert len(page.context["list"].lines) == 50
        assert len(queries) <= MOST_QUERIES + 2  # the event of who is shown has its savepoint


class TestBudget:
    """S47: how many files one person may send."""

    def test_s47_a_spent_budget_of_files_says_when_to_try_again(self, world: Any, settings: Any) -> None:
        settings.UPLOADS_PER_MINUTE_BY_PERSON = 2
        client, other, moment = issuer(world), admin(world), clock.now()
        with clock.moved_to(moment):
            assert send(client, b"x").status_code == 422
            assert send(client, csv(SetupTable.OFFICES, OFFICE)).status_code == 302
            answer = send(client, csv(SetupTable.OFFICES, OFFICE))
            wait = int(answer["Retry-After"])
            assert answer.status_code == 429
            assert 1 <= wait <= 61
            told = re.search(r"Portalen tar emot ett begränsat antal filer i minuten. Försök igen om (\S+)", text_of(answer))
            assert told
            assert told[1] in (str(wait), "en")
            assert SetupImport.objects.count() == 1
            assert send(other, csv(SetupTable.OFFICES, OFFICE)).status_code == 302, "another person's files are his own"
            settings.UPLOADS_PER_MINUTE = 3
            assert send(other, csv(SetupTable.OFFICES, OFFICE)).status_code == 429, "nor are more taken in all"
        with clock.moved_to(moment + dt.timedelta(seconds=wait)):
            assert send(client, csv(SetupTable.OFFICES, OFFICE)).status_code == 302

    def test_s47_the_people_of_an_organisation_send_so_many_files_a_minute(
        self, world: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(uploads, "_FILES", MinuteBudget())
        settings.UPLOADS_PER_MINUTE_BY_ORGANISATION = 1
        one, another, elsewhere = (
            replace(world.officer(), ref=f"user:{hsa_id}", hsa_id=hsa_id)
            for hsa_id in ("TST2321000131-A1", "tst2321000131-B2", "TST5565594230-C3")
        )
        with clock.moved_to(clock.now()):
            uploads.spend(one)
            with pytest.raises(TooManyRequests, match="upload-budget"):
                uploads.spend(another)
            uploads.spend(elsewhere)

    def test_s47_who_works_meets_none(self, settings: Any) -> None:
        """200 files of a set-up in a quarter of an hour; a clerk's 50 photographs a day are far fewer."""
        assert settings.UPLOADS_PER_MINUTE_BY_PERSON * 15 >= 200


class TestFiles:
    """Templates and exports."""

    def test_templates_are_taken_and_hold_nothing(self, world: Any) -> None:
        client = issuer(world)
        addresses = [reverse("setup_template_xlsx"), *(reverse("setup_template_csv", args=[kind.value]) for kind in SetupTable)]
        for address in addresses:
            assert address in client.get(START).content.decode()
            answer = send(client, client.get(address).content, "mall.xlsx")
            assert "Filen har inga rader att läsa in." in text_of(answer)
        book = load_workbook(io.BytesIO(client.get(addresses[0]).content))
        assert book.sheetnames == [*(shape.title for shape in SETUP_TABLES.values()), "Hjälp"]
        assert client.get("/administrera/import/mall-annat.csv").status_code == 404

    def test_an_export_comes_back_as_nothing_to_do_and_is_noted(self, world: Any) -> None:
        client = issuer(world)
        file = client.get(at("area_export_xlsx", world.area))
        assert file["Content-Disposition"].startswith("attachment;")
        noted = Event.objects.get(action="setup.exported")
        assert noted.facts == {"rows": {"organisationer": 3, "kontor": 1, "rollinnehavare": 1}}
        page = preview_of(client, file.content)
        assert "Allt i filen finns redan. Det finns inget att läsa in." in text_of(page)
        for kind in SetupTable:
            content = client.get(reverse("area_export_csv", args=[world.area.id, kind.value])).content
            assert preview_of(client, content).context["plan"].is_empty

    def test_who_sees_no_area_fetches_his_organisations(self, world: Any) -> None:
        client = client_of(world.officer(world.clinic, Role.DEPUTY_ISSUER))
        page = client.get(START)
        assert [place.name for place in page.context["list"].lines] == ["Kliniken"]
        assert "Område eller organisation" in text_of(page)
        addresses = [page.context["list"].lines[0].workbook, *(url for url, _ in page.context["list"].lines[0].tables)]
        for address in addresses:
            assert f'href="{address}"' in page.content.decode()
            assert preview_of(client, client.get(address).content).context["plan"].is_empty
        assert set(Event.objects.filter(action="setup.exported").values_list("subject_ref", flat=True)) == {str(world.clinic.pk)}
        whole_area = issuer(world).get(START)
        assert ([place.name for place in whole_area.context["list"].lines], "Område eller" in text_of(whole_area)) == (
            ["Regionen"], False,
        )  # fmt: skip

    def test_more_areas_than_a_page_holds_can_all_be_exported(self, world: Any) -> None:
        for number in range(60):
            create_area(actor=SETUP, name=f"Område {number:02}")
        client = client_of(world.officer(role=Role.MASTER_DATA_ADMIN))
        first = client.get(reverse("setup_import"))
        following = re.search(r'href="([^"]+efter=[^"#]+)#export"', first.content.decode())
        assert following is not None
        second = client.get(html.unescape(following[1]))
        seen = [place.id for page in (first, second) for place in page.context["list"].lines]
        assert len(set(seen)) == len(seen) == IssuingArea.objects.count()
        assert "Från början" in text_of(second)

    def test_the_ways_there_are_for_those_whom_they_open(self, world: Any) -> None:
        overview, area = reverse("administration"), at("area", world.area)
        assert START in admin(world).get(overview).content.decode()
        reader = client_of(world.officer(role=Role.GLOBAL_READER))
        assert START not in reader.get(overview).content.decode()
        page = reader.get(area).content.decode()
        assert (START in page, at("area_export_xlsx", world.area) in page) == (False, True)
        assert reader.get(at("area_export_xlsx", world.area)).status_code == 200
