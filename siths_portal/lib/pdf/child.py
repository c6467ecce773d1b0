"""The child process that runs WeasyPrint. It can crash (rules/billing 2.4), so it has no secrets and the parent checks the file.

Reads one JSON job per line from standard input and answers with the PDF in Base64, as one line. It writes no document to a file,
so a process that is killed leaves none behind. Uses neither Django nor the database.
"""

import base64
import ctypes.util
import datetime as dt
import json
import os
import sys
from typing import Any

# WeasyPrint looks for each library under several names. For each name that the loader does not find, cffi would start ldconfig,
# gcc and ld, which find no more and take half of the import time.
ctypes.util.find_library = lambda name: None

from weasyprint import HTML, Attachment  # noqa: E402
from weasyprint.urls import URLFetcher, URLFetcherResponse  # noqa: E402

from siths_portal.lib.pdf import typeface  # noqa: E402
from siths_portal.lib.pdf.glyphs import printable  # noqa: E402
from siths_portal.lib.processes.memory import limit_memory  # noqa: E402

MEMORY = 768 * 1024 * 1024
"""A table of 1,000 lines needs about a third of this."""


class DenyAll(URLFetcher):  # type: ignore[misc]
    """Fetches nothing: documents are self-contained, and no text in them may make the server read a file or a URL (S40)."""

    def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
        """Raises ValueError, which WeasyPrint treats as a missing resource."""
        raise ValueError("nothing is fetched for a document")


DENY_ALL = DenyAll()
"""One for the process, since the constructor reads the machine's CA certificates."""

FACES, FONTS = typeface.load()


def render(job: dict[str, Any]) -> bytes:
    """Returns the PDF/A-3a file of `job`: html, attached text, its name and description, day (ISO date) and identifier (hex).

    The same job gives the same bytes, since day and identifier replace the present time and a random id.
    """
    moment = dt.datetime.combine(dt.date.fromisoformat(job["day"]), dt.time(12), dt.UTC)
    attachment = Attachment(
        string=job["attached"].encode(),
        name=job["name"],
        description=job["description"],
        relationship="Alternative",
        created=moment,
        modified=moment,
        url_fetcher=DENY_ALL,
    )
    content = HTML(string=printable(job["html"]), url_fetcher=DENY_ALL).write_pdf(
        stylesheets=[FACES],
        font_config=FONTS,
        pdf_variant="pdf/a-3a",
        pdf_tags=True,
        pdf_identifier=bytes.fromhex(job["identifier"]),
        attachments=[attachment],
    )
    assert isinstance(content, bytes)  # noqa: S101  (narrows the type)
    return content


def main() -> None:
    """Does jobs until standard input ends, then exits without WeasyPrint's exit handlers, which sometimes crash."""
    limit_memory(MEMORY)
    for line in sys.stdin:
        sys.stdout.write(base64.b64encode(render(json.loads(line))).decode() + "\n")
        sys.stdout.flush()
    FONTS.__del__()  # deletes the temporary folder of the typeface, as the interpreter would at its end
    os._exit(0)


if __name__ == "__main__":
    main()
