"""The one PDF renderer of a process: many at once get their own file, and a child that died is replaced."""

import json
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from django.conf import settings

from siths_portal.lib.pdf import rendering
from tests.waiting import wait_for


def source(number: int) -> rendering.PdfSource:
    html = (
        '<!DOCTYPE html><html lang="sv"><head><title>Prov</title><style>body{font-family:"DejaVu Sans"}</style></head>'
        f"<body><h1>Prov {number}</h1></body></html>"
    )
    return rendering.PdfSource(html, json.dumps({"number": number}).encode(), "prov.json", "Prov", "2026-01-02")


def attached(content: bytes) -> bytes:
    with pikepdf.open(BytesIO(content)) as document:
        return document.attachments["prov.json"].get_file().read_bytes()


def test_many_at_once_get_each_their_own() -> None:
    made: dict[int, bytes] = {}
    threads = [threading.Thread(target=lambda n=n: made.update({n: rendering.render(source(n))})) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: attached(content) for n, content in made.items()} == {n: source(n).attached for n in range(6)}
    assert all(f"Prov {n}" in rendering.text(content) for n, content in made.items())


def test_a_child_that_died_between_two_files_is_replaced() -> None:
    before = rendering.render(source(1))
    child = rendering._shared._renderer._child._child
    child.kill()
    child.wait()
    assert rendering.render(source(1)) == before


@pytest.mark.parametrize("killed", [True, False])
def test_a_process_that_ends_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    begun = "from tests.lib.pdf.test_pdf import *\nprint(len(rendering.render(source(1))), flush=True)\n"
    command = [sys.executable, "-c", begun + ("rendering.render(source(2))\ninput()" if killed else "")]
    with subprocess.Popen(command, cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        if killed:
            process.kill()
    wait_for(lambda: not any(tmp_path.iterdir()), "that the temporary files are deleted", seconds=30)
