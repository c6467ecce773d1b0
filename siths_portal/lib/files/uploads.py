"""File uploads: kept in memory up to a limit for the complete request and never on disk; the rest is read and dropped (S36)."""

import io
import re
import threading
from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import Resolver404, resolve
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _

from siths_portal.lib.files.sizes import megabytes
from siths_portal.lib.pages import error_pages

REFUSED_HEADER = "X-Body-Refused"
"""The header that the reverse proxy adds to a request whose body it dropped as too large. It may contain the size."""
_BYTES = re.compile(r"\bbytes=(\d{1,15})$")


def is_too_large(request: HttpRequest) -> bool:
    """Returns whether the request's body is larger than the portal or its reverse proxy accepts. Reads no body."""
    length = request.headers.get("Content-Length") or "0"
    return REFUSED_HEADER in request.headers or (length.isdecimal() and int(length) > settings.UPLOAD_MAX_REQUEST_BYTES)


def takes_files[View: Callable[..., HttpResponseBase]](view: View) -> View:
    """Marks a view with a file form. If a body is too large, the user is redirected to the view's GET, with the reason."""
    cast(Any, view).takes_files = True
    return view


def declared_size(request: HttpRequest) -> int:
    """Returns the size of the body as the reverse proxy or the client declares it, or 0."""
    refused = _BYTES.search(request.headers.get(REFUSED_HEADER, ""))
    declared = refused[1] if refused else request.headers.get("Content-Length") or ""
    return int(declared) if declared.isdecimal() else 0


def _too_large(request: HttpRequest) -> HttpResponse:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not _reaches_file_form(request):
        return error_pages.error_page(request, 413)
    size, limit = declared_size(request), megabytes(settings.UPLOAD_MAX_BYTES)
    text = _("Uppgifterna är %(size)s. Filer får vara högst %(limit)s. Inget har ändrats. Välj en mindre fil.")
    if not size:
        text = _("Uppgifterna är för stora. Filer får vara högst %(limit)s. Inget har ändrats. Välj en mindre fil.")
    messages.error(request, text % {"size": megabytes(size), "limit": limit})
    return redirect(request.get_full_path())


def _reaches_file_form(request: HttpRequest) -> bool:
    try:
        found = resolve(request.path_info)
    except Resolver404:
        return False
    return getattr(found.func, "takes_files", False)


class UploadLimitMiddleware:
    """Limits request bodies before they are read.

    A request larger than `UPLOAD_MAX_REQUEST_BYTES`, or whose body the reverse proxy dropped, is redirected to its own page with
    the reason if the view is marked `takes_files`; else it gets 413. The middleware comes after those that the frame of an error
    page needs, and before the CSRF check, which reads the body.

    A body with files is read only for logged-in users. For others the form is empty, so a protected page redirects to the log-in.
    A process reads at most `UPLOADS_AT_ONCE` bodies with files at a time and answers 503 to others, so that slow uploads cannot
    occupy all threads and much memory.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._slots = threading.BoundedSemaphore(settings.UPLOADS_AT_ONCE)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        if is_too_large(request):
            return _too_large(request)
        if request.content_type != "multipart/form-data":
            return self.get_response(request)
        user = getattr(request, "user", None)  # a service without log-in accepts no files
        if user is None or not user.is_authenticated:
            unread: Any = request
            unread._post, unread._files = QueryDict(), MultiValueDict()
            return self.get_response(request)
        if not self._slots.acquire(blocking=False):
            return error_pages.error_page(request, 503, message="Många filer tas emot samtidigt. Försök igen om en stund.")
        try:
            return self.get_response(request)
        finally:
            self._slots.release()


class BoundedUploadHandler(FileUploadHandler):
    """Keeps at most `UPLOAD_MAX_BYTES` plus one byte of a request's files, so that the view can see that a file is too large."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self._left = settings.UPLOAD_MAX_BYTES + 1
        self._kept = io.BytesIO()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begins a file."""
        super().new_file(*args, **kwargs)
        self._kept = io.BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Keeps the bytes up to the limit and drops the rest."""
        taken = raw_data[: self._left]
        self._left -= len(taken)
        self._kept.write(taken)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        """Returns the file with the kept bytes. Its `size` is the number of bytes received."""
        self._kept.seek(0)
        return InMemoryUploadedFile(
            file=self._kept,
            field_name=self.field_name,
            name=self.file_name,
            content_type=self.content_type,
            size=file_size,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )
