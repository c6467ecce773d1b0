"""Swedish texts that the style sheet of the pages has replaced do not come back."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLD = (
    "Läs in sidan",
    "katalogansvarig",
    "Vänd dig till den som",
    "identitetshandling",
    "Du får inte göra detta",
    "på nytt",
    "Ingenting",
    "lades upp",
    "läggs upp",
    "fördes in",
    "t.ex.",
    "kortets läge",
    "en andra handläggare",
    "undertecknad",
)


def test_no_text_uses_words_that_were_replaced() -> None:
    files = [
        path
        for folder in ("authn", "billing", "issuance", "pki", "siths_portal", "templates")
        for ending in ("*.py", "*.html", "*.txt")
        for path in (ROOT / folder).rglob(ending)
    ]
    assert len(files) > 500
    found = [(old, str(path.relative_to(ROOT))) for path in files for old in OLD if old in path.read_text(encoding="utf-8")]
    assert found == []
