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


class UploadLimitMiddleware:
    """Bounds what browsers send, before anything of it is read.

    A request that says it is larger than `UPLOAD_MAX_REQUEST_BYTES` is answered 413. A body with files is read from those who
    are logged in alone; anybody else's form counts as empty, and a guarded page sends him to the log-in. Of the others at most
    `UPLOADS_AT_ONCE` are served at a time in a process, more are answered 503: so uploads that trickle in hold neither all
    threads nor much memory, and nobody outside takes the places of those inside.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._slots = threading.BoundedSemaphore(settings.UPLOADS_AT_ONCE)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        told = request.headers.get("Content-Length") or "0"
        if told.isdecimal() and int(told) > settings.UPLOAD_MAX_REQUEST_BYTES:
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
