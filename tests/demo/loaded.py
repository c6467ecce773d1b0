"""The demo as `demo_load` leaves it: rows and files, loaded once a process and a day."""

from collections.abc import Callable
from io import StringIO

from django.conf import settings
from django.core.management import call_command

from tests.first_rows import first_rows


def load_demo(persons: int, name: str = "alone", before: Callable[[], None] = lambda: None) -> None:
    """Loads the demo after `before`, which the name tells from others. Copies from the second time on (`first_rows`).

    VAR_DIR is a folder of the test's own, whose files are all copied.
    """

    def made() -> dict[str, tuple[int, bytes]]:
        before()
        call_command("demo_load", persons=persons, stdout=StringIO())
        files = [path for path in settings.VAR_DIR.rglob("*") if path.is_file()]
        return {str(path.relative_to(settings.VAR_DIR)): (path.stat().st_mode, path.read_bytes()) for path in files}

    for file, (mode, content) in first_rows(f"demo {persons} {name}", "", made).items():
        path = settings.VAR_DIR / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
