"""The demo's folder with artefact files and `summary.json`, each written atomically."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from siths_portal.lib.files.atomic import write_atomically


@dataclass
class Artefacts:
    """The artefacts of a demo run: files under `folder`, and `summary.json`, whose paths are relative to it."""

    folder: Path
    summary: dict[str, Any] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def put(self, name: str, content: bytes) -> str:
        """Stores `content` as `name` below the folder and returns `name`."""
        write_atomically(self.folder / name, content)
        return name

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times one step and records whether it succeeded. An error is recorded and raised again."""
        started = time.monotonic()
        ok = False
        try:
            yield
            ok = True
        finally:
            self.steps.append({"name": name, "seconds": round(time.monotonic() - started, 2), "ok": ok})
            self.save()

    def save(self) -> None:
        """Writes `summary.json`."""
        content = json.dumps(self.summary | {"steps": self.steps}, ensure_ascii=False, indent=2) + "\n"
        write_atomically(self.folder / "summary.json", content.encode())
