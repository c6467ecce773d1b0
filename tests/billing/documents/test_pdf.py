"""The PDF copy, looked into from outside: poppler, qpdf's library, and a hostile invoice comment."""

import base64
import hashlib
import json
import re
import socket
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from django.conf import settings

from billing.documents import pdf, ubl
from billing.records.domain import money
from siths_portal.lib.errors import Unavailable
from siths_portal.lib.pdf import rendering as lib_pdf
from siths_portal.lib.processes import children
from tests.billing.documents.samples import invoice, line

TAGS = "<script>alert(1)</script> <img src=file:///etc/passwd> <link rel=attachment href=file:/etc/passwd>"
HOSTILE = f"{{{{7*7}}}} {{% load x %}} {TAGS} &amp;"
LONG = invoice(
    *[line(n, f"589, Kontor nummer {n} med ett ganska långt namn som bryts på två rader", str(n), "90") for n in range(1, 61)]
)


@pytest.fixture(scope="module")
def renderer():
    with pdf.PdfRenderer() as one:
        yield one


@pytest.fixture(scope="module")
def made(renderer) -> bytes:
    return renderer.render(invoice(), ubl.build(invoice()))


def poppler(tool: str, content: bytes, tmp_path: Path, *options: str) -> str:
    path = tmp_path / "invoice.pdf"
    path.write_bytes(content)
    return subprocess.run([tool, *options, str(path)], capture_output=True, text=True, check=True).stdout


def test_tagged_titled_archived(made, tmp_path):
    info = poppler("pdfinfo", made, tmp_path)
    assert re.search(r"Title: +Faktura 2023-000001\n", info)
    assert re.search(r"Tagged: +yes", info)
    with pikepdf.open(BytesIO(made)) as document:
        root = document.Root
        assert root.Lang == "sv"
        assert bool(root.MarkInfo.Marked)
        assert bool(root.ViewerPreferences.DisplayDocTitle)
        assert "DestOutputProfile" in str(root.OutputIntents[0].keys())
        assert {str(each.AFRelationship) for each in root.AF} == {"/Alternative"}
        with document.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "A")
        assert document.check_pdf_syntax() == []


def test_structure_is_one_heading_and_real_tables(made, tmp_path):
    structure = poppler("pdfinfo", made, tmp_path, "-struct")
    assert len(re.findall(r"^\s*H1", structure, re.M)) == 1
    assert len(re.findall(r"^\s*Caption", structure, re.M)) == len(re.findall(r"^\s*Table", structure, re.M)) == 4
    assert len(re.findall(r"^\s*TH\b", structure, re.M)) >= 8 + 4


def test_every_font_is_embedded(made, tmp_path):
    rows = poppler("pdffonts", made, tmp_path).splitlines()[2:]
    assert rows
    assert all(row.split()[-5] == "yes" for row in rows)
    assert all("+Atkinson" in row for row in rows)


def test_the_e_invoice_is_attached_unchanged(made, tmp_path):
    assert poppler("pdfdetach", made, tmp_path, "-list").splitlines()[1:] == ["1: 2023-000001.xml"]
    poppler("pdfdetach", made, tmp_path, "-save", "1", "-o", str(tmp_path / "out.xml"))
    assert (tmp_path / "out.xml").read_bytes() == ubl.build(invoice())


def test_every_amount_is_readable(made):
    shown = pdf.text(made)
    content = invoice().content
    written = [
        *(money.swedish(amount) for amount in (content.totals.net, content.totals.vat, *(row.net for row in content.lines))),
        *(f"{money.swedish(row.quantity, decimals=0)} {row.declaration.unit_name}" for row in content.lines),
    ]
    for amount in written:
        assert amount.replace(money.NO_BREAK_SPACE, " ") in shown.replace(money.NO_BREAK_SPACE, " ")
    assert "12,3456" in shown
    assert pdf.payable_text(made) == f"{money.swedish(content.totals.payable)} kr"
    for words in ("SITHS, avser april 2023", "991-2346", "202300000124", "SE559999000801", "Godkänd för F-skatt", "9200101"):
        assert words in shown


def test_rounding_is_shown(renderer):
    rounded = invoice(line(1, "589", "1", "0.40"), round_to_krona=True)
    shown = pdf.text(renderer.render(rounded, ubl.build(rounded)))
    assert re.search(r"Öresavrundning\s+0,50", shown)
    assert re.search(r"Att betala\s+1,00 kr", shown)


def test_same_invoice_same_bytes_in_another_process(made):
    with pdf.PdfRenderer() as another:
        again = another.render(invoice(), ubl.build(invoice()))
    assert hashlib.sha256(again).digest() == hashlib.sha256(made).digest()


def test_many_lines_repeat_the_head_and_number_the_pages(renderer):
    shown = pdf.text(renderer.render(LONG, ubl.build(LONG)))
    pages = shown.rstrip("\f\n").split("\f")
    assert len(pages) >= 3
    for number, page in enumerate(pages, start=1):
        assert f"Sida {number} av {len(pages)}" in page
    assert all("Beskrivning" in page for page in pages[:-1])
    assert shown.count("Kontor nummer") == 120, "each is a line and the heading of its office"


def test_eight_lines_of_four_offices_fit_on_one_page(renderer):
    eight = [line(n, f"589, Kontor {(n + 1) // 2}", "4", "90") for n in range(1, 9)]
    one = invoice(*eight, contract="DEMO-KA2", order_number="P12", invoiced_object="A-9")
    assert "Sida 1 av 1" in pdf.text(renderer.render(one, ubl.build(one)))


def test_very_many_lines_are_summed_in_bounded_memory(renderer):
    """Every line is in the attached e-invoice; the paper sums them by article and price and the amounts agree."""
    many = invoice(*[line(n, f"589, Kontor {n}", "2", "90" if n % 2 else "12.3456") for n in range(1, 5001)])
    xml = ubl.build(many)
    content = renderer.render(many, xml)
    shown = " ".join(pdf.text(content).split())
    assert shown.count("Summa av 2 500 rader") == 2
    assert "Fakturan har 5 000 rader." in shown
    assert pdf.payable_text(content) == f"{money.swedish(many.content.totals.payable)} kr"
    child = renderer._renderer._child._child.pid
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{child}/status").read_text())
    assert int(peak[1]) < 400 * 1024


# --- hostile texts --------------------------------------------------------------------------------------------------------


def test_a_hostile_comment_is_printed_literally(renderer, tmp_path):
    hostile = invoice(line(1, HOSTILE, "1", "90"), name="<b>Region</b> {{ number }}")
    xml = ubl.build(hostile)
    content = renderer.render(hostile, xml)
    shown = " ".join(pdf.text(content).split())
    for part in ("{{7*7}}", "{% load x %}", "<script>alert(1)</script>", "<img", "&amp;", "<b>Region</b> {{ number }}"):
        assert part in shown or part.replace(" ", "") in shown.replace(" ", "")
    assert "49" not in shown.replace("991-2346", "")
    assert "root:" not in shown
    assert poppler("pdfdetach", content, tmp_path, "-list").startswith("1 embedded files")


def test_a_character_without_glyph_is_replaced_and_the_claim_holds(renderer):
    """The e-invoice keeps the text; on paper a replacement character stands for what the font lacks."""
    odd = invoice(line(1, "589, Kontor 🏥", "1", "90"), name="Vård 👩‍⚕️ 漢字")
    content = renderer.render(odd, ubl.build(odd))
    shown = " ".join(pdf.text(content).split())
    assert "589, Kontor \ufffd" in shown
    assert "Vård \ufffd⚕ \ufffd\ufffd" in shown
    assert "Vård 👩‍⚕️ 漢字" in ubl.build(odd).decode()


def test_the_child_fetches_nothing(tmp_path):
    """Even markup that got through would read no file and call no address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        secret = tmp_path / "secret.txt"
        secret.write_text("synnerligen hemligt")
        html = (
            f'<html lang="sv"><head><title>x</title><link rel=attachment href="{secret.as_uri()}">'
            f'<link rel=stylesheet href="{address}">'
            f'<style>@import "{address}";</style></head><body><img src="{secret.as_uri()}"><img src="{address}">'
            f'<iframe src="{secret.as_uri()}"></iframe><a rel=attachment href="{secret.as_uri()}">a</a></body></html>'
        )
        job = {
            "html": html, "attached": "<a/>", "name": "1.xml", "description": "x", "day": "2023-05-02", "identifier": "00" * 16,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "siths_portal.lib.pdf.child"],
            cwd=settings.BASE_DIR,
            input=json.dumps(job) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
        content = base64.b64decode(done.stdout)
        with pytest.raises(BlockingIOError):
            server.accept()
    with pikepdf.open(BytesIO(content)) as document:
        assert len(document.attachments) == 1
    assert b"hemligt" not in content


# --- children that die ----------------------------------------------------------------------------------------------------


def wrapper(tmp_path: Path, script: str) -> str:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_child_that_crashes_is_replaced(monkeypatch, tmp_path, made):
    script = f'if [ -e "{tmp_path}/second" ]; then exec "{sys.executable}" "$@"; fi; touch "{tmp_path}/second"; kill -SEGV $$'
    monkeypatch.setattr(children.sys, "executable", wrapper(tmp_path, script))
    with pdf.PdfRenderer() as renderer:
        assert renderer.render(invoice(), ubl.build(invoice())) == made


@pytest.mark.parametrize("script", ["exit 1", "echo done", "sleep 30"])
def test_a_child_that_leaves_no_file_is_not_believed(monkeypatch, tmp_path, script):
    monkeypatch.setattr(children.sys, "executable", wrapper(tmp_path, script))
    monkeypatch.setattr(lib_pdf, "SECONDS_PER_FILE", 0.2)
    with pdf.PdfRenderer() as renderer, pytest.raises(Unavailable):
        renderer.render(invoice(), ubl.build(invoice()))


def test_the_child_gets_no_secrets(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "postgres://hemligt")
    monkeypatch.setattr(children.sys, "executable", wrapper(tmp_path, f'env > "{tmp_path}/seen"; exit 1'))
    with pdf.PdfRenderer() as renderer, pytest.raises(Unavailable):
        renderer.render(invoice(), ubl.build(invoice()))
    assert "hemligt" not in (tmp_path / "seen").read_text()


def changed(content: bytes, change) -> bytes:
    target = BytesIO()
    with pikepdf.open(BytesIO(content)) as document:
        change(document)
        document.save(target)
    return target.getvalue()


def without_claim(document):
    document.Root.Metadata = document.make_stream(
        document.Root.Metadata.read_bytes().replace(b'conformance="A"', b'conformance="B"')
    )


def with_glyph(glyph: bytes):
    def change(document):
        page = document.pages[0]
        page.Contents = document.make_stream(re.sub(rb"<[0-9a-f]{4}>", glyph, page.Contents.read_bytes(), count=1))

    return change


def with_another_intent(document):
    document.Root.OutputIntents[0].S = pikepdf.Name("/GTS_PDFX")


def without(content: bytes, key: str) -> bytes:
    target = BytesIO()
    with pikepdf.open(BytesIO(content)) as document:
        del document.Root[key]
        document.save(target)
    return target.getvalue()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda content: b"", "not whole"),
        (lambda content: content[: len(content) // 2], "not whole"),
        (lambda content: b"%PDF-1.7\nnonsense\n%%EOF", "unreadable"),
        (lambda content: without(content, "/StructTreeRoot"), "not tagged"),
        (lambda content: without(content, "/MarkInfo"), "unreadable: KeyError"),
        (lambda content: without(content, "/AF"), "unreadable: KeyError"),
        (lambda content: without(content, "/OutputIntents"), "unreadable: KeyError"),
        (lambda content: without(content, "/Metadata"), "unreadable: KeyError"),
        (lambda content: changed(content, with_another_intent), "no output intent"),
        (lambda content: changed(content, without_claim), "no claim of PDF/A-3a"),
        (lambda content: changed(content, with_glyph(b"<0000>")), "a glyph is missing"),
        (lambda content: changed(content, with_glyph(b"<fff0>")), "a glyph is missing"),
    ],
)
def test_the_file_is_judged(made, change, fault):
    assert re.match(fault, pdf.judge(change(made), ubl.build(invoice())) or "sound")


def test_another_attachment_is_seen(made):
    assert pdf.judge(made, ubl.build(LONG)) == "another attachment"
    assert pdf.judge(made, ubl.build(invoice())) is None
    assert not pdf.has_attached(made, ubl.build(LONG))
    assert not pdf.has_attached(made.replace(b"/Type /EmbeddedFile", b"/Type /OtherFile"), ubl.build(invoice()))
    assert pdf.has_attached(made, ubl.build(invoice()))
