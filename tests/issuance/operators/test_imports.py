"""Imports of CAs on pages: asked for, followed, with what they found, and the report to save."""

import re
import uuid
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pki.approvals import dual_control
from pki.models import ApprovalAction, ApprovalRequest, CaImport, CertificateAuthority, ImportFinding
from siths_portal.lib.canonical import sha256_hex
from tests.issuance.operators import imports
from tests.issuance.operators.operators import client_of, operator
from tests.issuance.person_page.test_pages import text_of
from tests.pki.takeover import takeover_world

LIST = "/pki/importer/"


def name() -> str:
    return str(CertificateAuthority.objects.get(slug="person-hsaid-3").common_name)


@pytest.fixture
def client(world: Any) -> Client:
    return client_of(operator(world))


def address(request: ApprovalRequest) -> str:
    return reverse("pki_import", args=[request.id])


def test_an_empty_list_says_what_it_is_for(client: Client) -> None:
    text = text_of(client.get(LIST))
    assert "Ingen import är begärd" in text
    assert "pki_import" in text


@pytest.mark.usefixtures("authorities")
class TestPages:
    """Rows of the database in each state."""

    def test_what_was_asked_for_shows_its_plan_and_who_decides(self, world: Any, client: Client) -> None:
        request = imports.asked()
        text = text_of(client.get(address(request)))
        for expected in (
            f"Import av {name()}", "Väntar på beslut", "Inget är inläst.", "0 av 2", "Rader i underlaget 12 000 –",
            "Nya certifikat 11 990 –", "Avvikelser 10 –", "Begärd av operator:kim", "jsonl", imports.SHA,
        ):  # fmt: skip
            assert expected in text, expected
        assert "rader inlästa" not in text
        approver = operator(world, "Nanna")
        imports.approved(request, approver.ref, operator(world, "Sigrid").ref)
        text = text_of(client.get(address(request)))
        for expected in ("Godkänd, ej påbörjad", "2 av 2: Nanna Förvaltarsson, Sigrid Förvaltarsson"):
            assert expected in text, expected
        assert name() in text_of(client.get(LIST))

    def test_one_that_is_under_way_is_followed_and_a_new_state_draws_the_page_anew(self, client: Client) -> None:
        row = imports.begun(imports.approved(imports.asked()))
        where, ask = address(row.approval_request), {"HTTP_HX_REQUEST": "true"}
        with imports.at_work():
            page = client.get(where)
            content, text = page.content.decode(), text_of(page)
            assert f'hx-get="{where}?lage=certificates-pagar"' in content
            assert 'hx-trigger="every 2s"' in content
            for expected in (
                "Läser certifikat", "5 000 av 12 000 rader inlästa", "500 rader i sekunden, ungefär 1 minut kvar.",
                "Nya certifikat 4 993", "Avvikelser 5", "En omgång lästes in 4 998 rader, till rad 5 000",
            ):  # fmt: skip
                assert expected in text, expected
            CaImport.objects.update(position=10_000)
            part = client.get(f"{where}?lage=certificates-pagar", **ask)
            assert (part.status_code, "<html" in part.content.decode()) == (200, False)
            assert "10 000 av 12 000 rader inlästa" in text_of(part)
            CaImport.objects.update(state="lists")
            assert client.get(f"{where}?lage=certificates-pagar", **ask)["HX-Refresh"] == "true"
            assert "Jämför listor" in text_of(client.get(where))
        assert client.get(f"{where}?lage=lists-pagar", **ask)["HX-Refresh"] == "true"

    def test_one_that_was_cut_off_says_how_it_goes_on(self, client: Client) -> None:
        row = imports.begun(imports.approved(imports.asked()))
        page = client.get(address(row.approval_request))
        assert "Importen har stannat. Kör samma kommando igen" in text_of(page)
        assert "hx-get" not in page.content.decode().split('id="lage"')[1].split(">")[0]
        other = imports.begun(imports.approved(imports.asked("person-id-3", inputs="aa" * 32)))
        with imports.at_work():
            assert "Importen har stannat" in text_of(client.get(address(row.approval_request)))
            assert "Importen har stannat" not in text_of(client.get(address(other.approval_request)))

    def test_without_script_it_is_updated_by_a_link_and_by_itself_if_wanted(self, client: Client) -> None:
        row = imports.begun(imports.approved(imports.asked()))
        where = address(row.approval_request)
        with imports.at_work():
            assert "Uppdatera sidan" in client.get(where).content.decode()
            assert 'content="10"' not in client.get(where).content.decode()
            assert '<meta http-equiv="refresh" content="10">' in client.get(f"{where}?uppdatera=1").content.decode()
        assert 'content="10"' not in client.get(f"{where}?uppdatera=1").content.decode()

    def test_the_end_shows_plan_and_outcome_differences_files_lists_and_the_report(self, client: Client) -> None:
        row = imports.finished(imports.begun(imports.approved(imports.asked())))
        text = text_of(client.get(address(row.approval_request)))
        for expected in (
            "Klar", "Nya certifikat 11 990 11 991 skiljer sig", "Rader i underlaget 12 000 12 000",
            "Står på gamla listan men saknas i underlaget; lagt in med bara serienummer 2",
            "Gamla listan har annan tid eller orsak 0",
            "Radens serienummer är inte certifikatets, eller inget serienummer 3", "crls/old.crl 41 1 201 alla certifikat",
            "8f" * 32, "certificates.jsonl 123 456 byte", "6d" * 32,
            "Utfärdade här nu 10 791", "Spärrade här nu 1 202",
            "Underskriven inte än", "Importen blev klar", "Hämta rapporten (text)",
        ):  # fmt: skip
            assert expected in text, expected
        assert "Hämta underskriften" not in text

    def test_comparisons_with_the_old_service_stand_the_newest_first(self, client: Client) -> None:
        row = imports.finished(imports.begun(imports.approved(imports.asked())))
        assert "Jämförelser" not in text_of(client.get(address(row.approval_request)))
        imports.compared(row, {"only-old": 1_001}, [("only-old", "0177AB")], later=3)
        assert "0177AB bara på gamla listan; inte spärrat här" in text_of(client.get(address(row.approval_request)))
        imports.compared(row, {}, [])
        text = text_of(client.get(address(row.approval_request)))
        same, differs = (
            "crls/later.crl nummer 42 Säger detsamma 0",
            "1 001 skillnader bara på gamla listan; inte spärrat här: 1 001 3",
        )
        assert text.index(same) < text.index(differs)
        assert "0177AB" not in text

    def test_findings_go_on_page_by_page(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        from issuance.operators.web.lists import FindingList

        monkeypatch.setattr(FindingList, "page_size", 2)
        row = imports.begun(imports.approved(imports.asked()))
        where = reverse("pki_import_findings", args=[row.approval_request_id, "serial"])
        assert f'href="{where}"' in client.get(address(row.approval_request)).content.decode()
        seen: list[str] = []
        following = where
        while following:
            page = client.get(following)
            seen += [each.serial for each in page.context["list"].lines]
            following = page.context["list"].next_url
        assert seen == list(ImportFinding.objects.filter(kind="serial").order_by("id").values_list("serial", flat=True))
        assert "certificates.jsonl:9 –" in text_of(page)
        for wrong in ("hej", "-1", "9" * 30, "²"):
            assert [each.serial for each in client.get(f"{where}?efter={wrong}").context["list"].lines] == seen[:2]

    def test_what_is_not_there_is_404(self, client: Client) -> None:
        row = imports.begun(imports.approved(imports.asked()))
        for name, arguments in (
            ("pki_import", [uuid.uuid4()]),
            ("pki_import_findings", [row.approval_request_id, "nosuch"]),
            ("pki_import_findings", [imports.asked("person-id-3").id, "serial"]),
            ("pki_import_report", [row.approval_request_id, "json"]),
        ):
            assert client.get(reverse(name, args=arguments)).status_code == 404
        imports.finished(row)
        for kind, status in (("json", 200), ("txt", 200), ("sig", 404), ("pem", 404), ("exe", 404)):
            answer = client.get(reverse("pki_import_report", args=[row.approval_request_id, kind]))
            assert answer.status_code == status, kind

    def test_a_matter_of_another_kind_is_no_import(self, client: Client) -> None:
        request = dual_control.request(
            action=ApprovalAction.MASS_REVOCATION, summary="Prov", document={}, requester_ref="user:nobody"
        )
        assert client.get(address(request)).status_code == 404

    def test_the_list_goes_on_page_by_page_the_newest_first(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        from issuance.operators.web.lists import ImportList

        monkeypatch.setattr(ImportList, "page_size", 2)
        ids = [imports.asked(inputs=f"{number:064x}").id for number in range(5)]
        seen, where = [], LIST
        while where:
            page = client.get(where)
            seen += [row["found"].id for row in page.context["list"].lines]
            where = page.context["list"].next_url
        assert seen == sorted(ids, reverse=True)  # an id begins with its time, to the millisecond (RFC 9562 section 5.7)

    def test_the_pages_cost_the_same_however_much_there_is(self, client: Client) -> None:
        counts = []
        for number in range(2):
            for more in range(3):
                request = imports.approved(imports.asked(inputs=f"{number:032x}{more:032x}"), *(f"user:{n}" for n in range(2)))
            row = imports.begun(request)
            ImportFinding.objects.bulk_create(
                ImportFinding(ca_import=row, place=str(n), kind="serial", serial="01") for n in range(50 * number)
            )
            for where in (LIST, address(request), reverse("pki_import_findings", args=[request.id, "serial"])):
                client.get(where)
                with CaptureQueriesContext(connection) as queries:
                    client.get(where)
                counts.append(len(queries))
        assert counts[:3] == counts[3:]
        assert max(counts) <= 13


@pytest.mark.django_db(transaction=True)
def test_a_real_import_from_the_request_to_the_signed_report(world: Any, demo_pki: Any, tmp_path: Any) -> None:
    client, folder = client_of(operator(world)), tmp_path / "in"
    takeover_world.many(folder, 40)
    with (folder / "certificates.jsonl").open("a") as file:
        file.write('{"serial": "zz"}\n')
    with pytest.raises(CommandError):
        takeover_world.run(folder, dry_run=True)
    takeover_world.approve(folder)
    where = address(ApprovalRequest.objects.get(action="import"))
    assert "Godkänd, ej påbörjad" in text_of(client.get(where))
    takeover_world.run_dry(folder)
    with pytest.raises(CommandError, match="avvikelser"):
        takeover_world.run(folder, report=tmp_path / "report")
    text = text_of(client.get(where))
    for expected in (
        "Import av OLD Many ECPrivateKey CA",
        "Klar",
        "41 av 41 rader inlästa",
        "Nya certifikat 40 40",
        "finns i ett annat system",
    ):
        assert expected in text, expected
    row = CaImport.objects.get()
    assert row.signature_key_id in text
    written = {path.suffix: path.read_bytes() for path in (tmp_path / "report").iterdir()}
    for kind in ("json", "txt", "sig", "pem"):
        answer = client.get(reverse("pki_import_report", args=[row.approval_request_id, kind]))
        assert answer.content == written[f".{kind}"]
        assert re.search(rf'attachment; filename="?import-[0-9a-f]{{12}}\.{kind}"?', answer["Content-Disposition"])
    assert sha256_hex(written[".json"]) in text
