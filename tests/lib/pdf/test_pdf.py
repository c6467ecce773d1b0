"""The one PDF renderer of a process: many at once get their own file, and a child that died is replaced."""

import json
import threading
from io import BytesIO
from pathlib import Path

import pikepdf

from siths_portal.lib.pdf import rendering


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


def test_what_was_made_does_not_lie_about() -> None:
    with rendering.PdfRenderer() as renderer:
        renderer.render(source(1))
        folder = renderer._folder.name
        assert list(Path(folder).iterdir()) == []
    assert not Path(folder).exists()
