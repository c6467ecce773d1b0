"""The typeface of the documents, from `static/vendor`. The child process uses it. Does not use Django.

Characters that it lacks, and all if it is not installed, are in the next family of the stylesheets, DejaVu Sans.
"""

from pathlib import Path
from typing import Any

from weasyprint import CSS
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

_FOLDER = Path(__file__).resolve().parents[3] / "static" / "vendor"
_SCHEME = "typeface://"
# The stylesheets name both families: WeasyPrint would take one file for both if they had one name.
_FACES = {
    "atkinson-pdf-400": ("Atkinson", 400),
    "atkinson-pdf-700": ("Atkinson", 700),
    "atkinson-pdf-ext-400": ("Atkinson Extended", 400),
    "atkinson-pdf-ext-700": ("Atkinson Extended", 700),
}


class _Files(URLFetcher):  # type: ignore[misc]
    """Fetches the files of the typeface and nothing else."""

    def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
        """Returns the file of a face of `_FACES`. Raises ValueError or OSError, which WeasyPrint treats as a missing resource."""
        name = url.removeprefix(_SCHEME)
        if name not in _FACES:
            raise ValueError("not a face of the typeface")
        return URLFetcherResponse(url, (_FOLDER / f"{name}.woff2").read_bytes())


def load() -> tuple[CSS, FontConfiguration]:
    """Returns the stylesheet of the faces, and the font configuration that has them. Once for a process."""
    fonts = FontConfiguration()
    rules = (
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; src: url("{_SCHEME}{name}"); }}'
        for name, (family, weight) in _FACES.items()
    )
    return CSS(string="\n".join(rules), url_fetcher=_Files(), font_config=fonts), fonts
