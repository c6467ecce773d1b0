"""What the catalogue says of an organisation, told by its form and by the preview of a file before it is saved (ADR 0251)."""

from typing import Any

import pytest

from issuance.imports.domain import SetupTable
from issuance.organisations.models import Organisation
from issuance.organisations.ports import DirectoryOrganisation
from issuance.records.models.events import Event
from tests.issuance.imports.test_pages import preview_of
from tests.issuance.imports.test_setup_import import csv
from tests.issuance.organisations.test_pages import admin, at, fields_of, issuer
from tests.issuance.person_page.test_pages import text_of

PROVIDER = DirectoryOrganisation("TST5566778899-1000", "Ost Privat Vård", "5566778899")
TYPED = {
    "name": "Ost Privat Vård", "hsa_id": PROVIDER.hsa_id, "organisation_number": "556677-8899", "country": "SE", "charged": "no",
}  # fmt: skip
FIRST_TOLD = "Uppgifterna stämmer inte med HSA-katalogen. Rätta dem, eller kryssa i rutan längst ner för att spara ändå."
SILENT = "HSA-katalogen svarar inte just nu, så HSA-id, organisationsnummer och namn är inte kontrollerade."


def said_of(row: Organisation, action: str = "organisation.created") -> list[str | None]:
    events = Event.objects.filter(action=action, subject_ref=str(row.pk)).order_by("id")
    return [event.facts.get("catalogue") for event in events]


class TestForms:
    def test_what_agrees_is_saved_at_once_whatever_its_case(self, world: Any) -> None:
        world.outside.know(PROVIDER)
        typed = TYPED | {"name": "ost privat vård", "hsa_id": PROVIDER.hsa_id.lower()}
        answer = admin(world).post(at("organisation_new", world.area), typed, follow=True)
        assert "är skapad." in text_of(answer)
        assert "HSA-katalogen svarar" not in text_of(answer)
        made = Organisation.objects.get(hsa_id__iexact=PROVIDER.hsa_id)
        assert said_of(made) == ["agrees"]
        assert "Katalogen: stämmer" in text_of(admin(world).get(at("organisation_history", made)))

    @pytest.mark.parametrize(
        ("there", "field", "told"),
        [
            (None, "hsa_id", "HSA-katalogen har ingen organisation med HSA-id TST5566778899-1000."),
            (("Ost Vård AB", "5566778899"), "name", "I HSA-katalogen heter organisationen Ost Vård AB."),
            (("Ost Vård AB", ""), "name", "I HSA-katalogen heter organisationen Ost Vård AB."),
            (
                ("Ost Privat Vård", "2321000131"), "organisation_number",
                "I HSA-katalogen har Ost Privat Vård organisationsnumret 232100-0131.",
            ),
            (
                ("Regionen", "2321000131"), "hsa_id",
                "HSA-id tillhör enligt HSA-katalogen en annan organisation: Regionen, 232100-0131.",
            ),
        ],
    )  # fmt: skip
    def test_what_differs_is_told_and_saved_by_who_has_read_it(
        self, world: Any, there: tuple[str, str] | None, field: str, told: str
    ) -> None:
        world.outside.know(*([DirectoryOrganisation(PROVIDER.hsa_id, *there)] if there else ()))
        world.outside.organisations = world.outside.organisations or {}
        client, address = admin(world), at("organisation_new", world.area)
        before = (Organisation.objects.count(), Event.objects.count())
        first = client.post(address, TYPED)
        assert first.status_code == 422
        assert first.context["form"].errors == {field: [told], "__all__": [FIRST_TOLD]}
        assert "Spara dem fast katalogen säger något annat." in text_of(first)
        assert (Organisation.objects.count(), Event.objects.count()) == before
        kept = fields_of(first)
        assert {name: kept[name] for name in TYPED if name != "charged"} == {
            name: TYPED[name] for name in TYPED if name != "charged"
        }
        assert client.post(address, TYPED).status_code == 422, "the same again is no knowing"
        assert client.post(address, TYPED | {"katalog": "on"}).status_code == 422
        read = {"katalog": first.context["catalogue"]}
        other = client.post(address, TYPED | read | {"name": "Något annat"})
        assert other.status_code == 422, "what was read was said of what was typed then"
        assert client.post(address, TYPED | read).status_code == 302
        made = Organisation.objects.get(name="Ost Privat Vård")
        assert said_of(made) == ["differs" if there else "unknown"]
        assert "sparades ändå" in text_of(client.get(at("organisation_history", made)))

    def test_a_silent_catalogue_stops_nothing_and_is_said(self, world: Any) -> None:
        world.outside.down = True
        client = issuer(world)
        data = {"name": "Ny", "hsa_id": "TST2321000131-3000", "organisation_number": "2321000131", "country": "SE"}
        assert SILENT in text_of(client.post(at("sub_organisation_new", world.clinic), data, follow=True))
        made = Organisation.objects.get(name="Ny")
        assert said_of(made) == ["silent"]
        assert "Katalogen: svarade inte, okontrollerat" in text_of(client.get(at("organisation_history", made)))

    def test_an_edit_asks_of_what_it_changes_alone(self, world: Any) -> None:
        unit = DirectoryOrganisation(world.clinic.hsa_id, "Kliniken söder")  # a unit without a number of its own
        world.outside.know(unit)
        client, address = issuer(world), at("organisation_edit", world.clinic)
        world.outside.calls.clear()
        assert client.post(address, fields_of(client.get(address)) | {"county": "Skåne län"}).status_code == 302
        assert world.outside.calls == []
        wrong = client.post(address, fields_of(client.get(address)) | {"name": "Kliniken norr"})
        assert wrong.context["form"].errors["name"] == ["I HSA-katalogen heter organisationen Kliniken söder."]
        assert client.post(address, fields_of(wrong) | {"name": "Kliniken söder"}).status_code == 302
        assert said_of(world.clinic, "organisation.changed") == [None, "agrees"]

    def test_an_id_of_the_portals_own_is_refused_without_asking(self, world: Any) -> None:
        world.outside.know(PROVIDER)
        world.outside.calls.clear()
        for row in (world.city, world.stranger):
            answer = admin(world).post(at("organisation_new", world.area), TYPED | {"hsa_id": row.hsa_id.lower()})
            assert f"HSA-id tillhör redan organisationen {row.name}." in text_of(answer)
        assert world.outside.calls == []

    def test_who_may_not_save_asks_nothing(self, world: Any) -> None:
        world.outside.know(PROVIDER)
        world.outside.calls.clear()
        assert issuer(world).post(at("organisation_new", world.area), TYPED).status_code == 403
        assert world.outside.calls == []


class TestFiles:
    ROWS = (
        {
            "name": "Ost Privat Vård", "hsa_id": PROVIDER.hsa_id, "organisation_number": "556677-8899",
            "parent": "TST2321000131-1000",
        },
        {"name": "Okänd", "hsa_id": "TST2321000131-9999", "organisation_number": "232100-0131", "parent": PROVIDER.hsa_id},
        {"name": "Kliniken", "hsa_id": "TST2321000131-1004", "organisation_number": "232100-0131"},  # there already
    )  # fmt: skip

    def test_what_differs_is_told_in_the_preview_and_read_in_knowingly(self, world: Any) -> None:
        world.outside.know(PROVIDER)
        world.outside.calls.clear()
        client = issuer(world)
        page = preview_of(client, csv(SetupTable.ORGANISATIONS, *self.ROWS))
        assert world.outside.calls == ["organisations"], "all are asked for at once"
        text = text_of(page)
        for told in (
            "1 ny organisation stämmer inte med HSA-katalogen.",
            "HSA-katalogen har ingen organisation med HSA-id TST2321000131-9999.",
            "Stämmer inte med HSA-katalogen (1)", "Läs in dem fast katalogen säger något annat.",
        ):  # fmt: skip
            assert told in text, told
        address, plan = page.request["PATH_INFO"], {"plan": page.context["plan"].sha256}
        refused = client.post(address, plan)
        assert refused.status_code == 422
        assert "kryssa i rutan" in text_of(refused)
        assert not Organisation.objects.filter(hsa_id=PROVIDER.hsa_id).exists()
        assert client.post(address, plan | {"katalog": "1"}).status_code == 302
        found = {row.name: said_of(row) for row in Organisation.objects.filter(name__in=("Ost Privat Vård", "Okänd"))}
        assert found == {"Ost Privat Vård": ["agrees"], "Okänd": ["unknown"]}

    def test_what_agrees_asks_nothing_and_a_silent_catalogue_is_said(self, world: Any) -> None:
        world.outside.know(PROVIDER)
        client = issuer(world)
        page = preview_of(client, csv(SetupTable.ORGANISATIONS, self.ROWS[0]))
        assert "katalogen" not in text_of(page)
        world.outside.down = True
        page = preview_of(client, csv(SetupTable.ORGANISATIONS, *self.ROWS))
        assert "HSA-katalogen svarade inte när filen lästes, så 2 nya organisationer är inte kontrollerade" in text_of(page)
        world.outside.down = False  # what was said when the file was read holds
        answer = client.post(page.request["PATH_INFO"], {"plan": page.context["plan"].sha256})
        assert answer.status_code == 302
        assert said_of(Organisation.objects.get(name="Okänd")) == ["silent"]
