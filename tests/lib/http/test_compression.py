"""Pages are compressed, except those that show a secret."""

import gzip

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from siths_portal.lib.http.compression import CompressionMiddleware, leave_uncompressed

TEXT = "<p>Kort</p>" * 100


def answer(content_type: str = "text/html; charset=utf-8", *, secret: bool = False, accepts: str = "gzip") -> HttpResponse:
    def view(request):
        if secret:
            leave_uncompressed(request)
        return HttpResponse(TEXT, content_type=content_type)

    response = CompressionMiddleware(view)(RequestFactory().get("/", headers={"Accept-Encoding": accepts}))
    assert isinstance(response, HttpResponse)
    return response


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "text/css", "text/csv; charset=utf-8", "image/svg+xml"])
def test_text_is_compressed(content_type: str) -> None:
    response = answer(content_type)
    assert response["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in response["Vary"]
    assert gzip.decompress(response.content).decode() == TEXT
    assert len(response.content) < len(TEXT) / 2


@pytest.mark.parametrize("content_type", ["application/json", "application/pdf", "image/jpeg"])
def test_other_types_are_not(content_type: str) -> None:
    assert "Content-Encoding" not in answer(content_type)


def test_a_page_that_shows_a_secret_is_never_compressed() -> None:
    response = answer(secret=True)
    assert "Content-Encoding" not in response
    assert response.content.decode() == TEXT


def test_a_browser_that_does_not_accept_gzip_gets_plain_text() -> None:
    assert "Content-Encoding" not in answer(accepts="identity")
