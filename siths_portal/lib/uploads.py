"""Files from browsers: held in memory up to a limit for the whole request, never on disk, the rest read and dropped (S36)."""

import io
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler


class BoundedUploadHandler(FileUploadHandler):
    """Keeps at most `UPLOAD_MAX_BYTES` and one byte of a request's files, so that who takes a file sees that it is too large.

    A request that says it is larger than `UPLOAD_MAX_REQUEST_BYTES` is refused before its body is read.
    """

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self._left = settings.UPLOAD_MAX_BYTES + 1
        self._kept = io.BytesIO()

    def handle_raw_input(
        self, input_data: Any, meta: dict[str, Any], content_length: int, boundary: str, encoding: str | None = None
    ) -> None:
        """Raises RequestDataTooBig (an answer 413) by the length that the request tells."""
        if content_length > settings.UPLOAD_MAX_REQUEST_BYTES:
            raise RequestDataTooBig("upload too large")

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
