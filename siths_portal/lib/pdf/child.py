"""The process that WeasyPrint runs in: it can crash (rules/billing 2.4), so it holds nothing and its word counts for nothing.

Reads one JSON job a line on standard input, writes the PDF to a file, answers `done`. Knows neither Django nor the database.
"""

import ctypes.util
import datetime as dt
import json
import os
import sys
from pathlib import Path
from typing import Any

# WeasyPrint asks for each library by several names. For each that the loader does not know, cffi would start ldconfig, gcc and
# ld, which finds nothing more and takes half of the time that the import takes.
ctypes.util.find_library = lambda name: None

from weasyprint import HTML, Attachment  # noqa: E402
from weasyprint.urls import URLFetcher, URLFetcherResponse  # noqa: E402

from siths_portal.lib.pdf.glyphs import printable  # noqa: E402
from siths_portal.lib.processes.memory import limit_memory  # noqa: E402

MEMORY = 768 * 1024 * 1024
"""A table of 1,000 lines needs about a third of it."""


class DenyAll(URLFetcher):  # type: ignore[misc]
    """Fetches nothing: a document holds all it shows, and no text on it may make the server read a file or an address (S40)."""

    def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
        """Raises ValueError, which WeasyPrint takes as a missing resource."""
        raise ValueError("nothing is fetched for a document")


NOTHING = DenyAll()
"""One for the process: to make one reads the machine's certificates."""


def render(job: dict[str, Any]) -> None:
    """Writes the PDF/A-3a file of `job`: html, attached text, its name and description, day (ISO date) and identifier (hex).

    Day and identifier make its bytes certain: the same job gives the same file.
    """
    moment = dt.datetime.combine(dt.date.fromisoformat(job["day"]), dt.time(12), dt.UTC)
    attachment = Attachment(
        string=job["attached"].encode(),
        name=job["name"],
        description=job["description"],
        relationship="Alternative",
        created=moment,
        modified=moment,
        url_fetcher=NOTHING,
    )
    target = Path(job["target"])
    partial = target.with_suffix(".part")
    HTML(string=printable(job["html"]), url_fetcher=NOTHING).write_pdf(
        partial,
        pdf_variant="pdf/a-3a",
        pdf_tags=True,
        pdf_identifier=bytes.fromhex(job["identifier"]),
        attachments=[attachment],
    )
    partial.replace(target)


def main() -> None:
    """Serves jobs until standard input ends, then leaves without WeasyPrint's exit handlers, which sometimes crash."""
    limit_memory(MEMORY)
    for line in sys.stdin:
        render(json.loads(line))
        sys.stdout.write("done\n")
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
