"""Pages of the APIs' descriptions, made on the server from the OpenAPI files. They need no script."""

from collections.abc import Mapping
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from siths_portal.lib.rest import problem
from siths_portal.lib.rest.description_reading import page_of


def urls(base: str, files: Mapping[str, Path]) -> list[URLPattern]:
    """Returns the URLs below `base` of a list of the APIs and a page for each. `files` maps an API's name in its address to its
    OpenAPI file.
    """

    @require_safe
    def listing(request: HttpRequest) -> HttpResponse:
        pages = [(name, page_of(file)) for name, file in files.items()]
        return render(request, "api/descriptions.html", {"pages": pages})

    @require_safe
    def one(request: HttpRequest, api: str) -> HttpResponse:
        if api not in files:
            return problem.not_found(request)
        return render(request, "api/description.html", {"page": page_of(files[api]), "api": api})

    return [path(base, listing, name="api-descriptions"), path(f"{base}<slug:api>/", one, name="api-description")]
