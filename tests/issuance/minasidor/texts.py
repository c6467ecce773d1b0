"""The texts of Mina sidor as they stand in its templates and modules, for tests of their translation."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(settings.BASE_DIR)
MODULES = (
    "issuance/minasidor", "issuance/records/domain/wording.py", "authn/web", "authn/services/log_in.py",
    "issuance/people/queries/officers.py",
    "siths_portal/lib/pages/dates.py", "siths_portal/lib/pages/error_pages.py", "siths_portal/lib/pages/forms.py",
    "siths_portal/lib/pages/status_words.py", "siths_portal/templatetags",
)  # fmt: skip
"""Where the texts of Mina sidor that stand in code are."""

_NAMES = frozenset({"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"})
_CALL = re.compile(r"""(?:\bgettext|\bngettext|(?<![\w])_)\(((?:u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?:,\s*)?)+)""")
_OTHER = re.compile(r"""{%-?\s*(?:include|extends)\s+"([\w/.-]+)\"""")

Message = tuple[str, ...]
"""A text, with its plural if it has one."""


def templates() -> list[Path]:
    """The templates of Mina sidor, and those that they include and extend."""
    folder = ROOT / "templates"
    waiting = [*sorted((folder / "minasidor").rglob("*.html")), folder / "error.html", folder / "authn" / "logged_in.html"]
    found: dict[Path, None] = {}
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = None
            waiting += [folder / name for name in _OTHER.findall(path.read_text())]
    return sorted(found)


def of_template(path: Path) -> Iterator[Message]:
    """The messages of a template."""
    for call in _CALL.finditer(templatize(path.read_text())):
        texts = ast.literal_eval(f"({call[1].rstrip(', ')},)")
        yield tuple(texts[:2])


def of_module(path: Path) -> Iterator[Message]:
    """The messages of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and name in _NAMES:
            values = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if values:
                yield tuple(values[: 2 if name.startswith("ngettext") else 1])


def modules() -> list[Path]:
    """The modules with texts of Mina sidor."""
    places = [ROOT / name for name in MODULES]
    return sorted(path for place in places for path in (place.rglob("*.py") if place.is_dir() else [place]))


def messages() -> dict[Message, str]:
    """Every message of Mina sidor, with the first file that has it."""
    found: dict[Message, str] = {}
    for paths, read in ((templates(), of_template), (modules(), of_module)):
        for path in paths:
            for message in read(path):
                found.setdefault(message, str(path.relative_to(ROOT)))
    return found
