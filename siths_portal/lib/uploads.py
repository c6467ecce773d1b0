"""Files from browsers: held in memory up to a limit for the whole request, never on disk, the rest read and dropped (S36)."""

import io
import threading
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.datastructures import MultiValueDict

from siths_portal.lib import pages

REFUSED_HEADER = "X-Body-Refused"
"""Set by the reverse proxy when it passes on a request whose body it refused as too large, without the body."""


def is_too_large(request: HttpRequest) -> bool:
    """Returns whether the request's body is larger than the portal or its reverse proxy accepts. Reads no body."""
    length = request.headers.get("Content-Length") or "0"
    return REFUSED_HEADER in request.headers or (length.isdecimal() and int(length) > settings.UPLOAD_MAX_REQUEST_BYTES)


class UploadLimitMiddleware:
    """Bounds what browsers send, before anything of it is read.

    A request that says it is larger than `UPLOAD_MAX_REQUEST_BYTES`, or whose body the reverse proxy refused, is answered 413.
    A body with files is read only for logged-in users. For others the form is empty, so a protected page redirects to the
    log-in. At most `UPLOADS_AT_ONCE` bodies with files are read at a time in a process, and others are answered 503: uploads
    that trickle in hold neither all threads nor much memory, and unauthenticated clients take no place from users.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._slots = threading.BoundedSemaphore(settings.UPLOADS_AT_ONCE)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        if is_too_large(request):
            return pages.error_page(request, 413)
        if request.content_type != "multipart/form-data":
            return self.get_response(request)
        user = getattr(request, "user", None)  # a face without log-in takes no files
        if user is None or not user.is_authenticated:
            unread: Any = request
            unread._post, unread._files = QueryDict(), MultiValueDict()
            return self.get_response(request)
        if not self._slots.acquire(blocking=False):
            return pages.error_page(request, 503, message="Många filer tas emot samtidigt. Försök igen om en stund.")
        try:
            return self.get_response(request)
        finally:
            self._slots.release()


class BoundedUploadHandler(FileUploadHandler):
    """Keeps at most `UPLOAD_MAX_BYTES` and one byte of a request's files, so that who takes a file sees that it is too large."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self._left = settings.UPLOAD_MAX_BYTES + 1
        self._kept = io.BytesIO()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begins a file."""
        super().new_file(*args, **kwargs)
        self._kept = io.BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Keeps what there is room for."""
        taken = raw_data[: self._left]
        self._left -= len(taken)
        self._kept.write(taken)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        """The file with what was kept of it; `size` is what was received."""
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
