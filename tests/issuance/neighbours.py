"""The directory simulator as a process, with the people of a test's world, for a portal that is a process too."""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from siths_portal.dev.probes import accepts
from tests.issuance.suppliers.api.stage import process
from tests.ports import free_port


@contextlib.contextmanager
def directory(folder: Path) -> Iterator[tuple[str, Path]]:
    """The simulator's address and its data file, which it reads anew whenever it is replaced."""
    port, data = free_port(), folder / "people.json"
    data.write_text("[]")
    command = [sys.executable, "manage.py", "directory_simulator", "--bind", f"127.0.0.1:{port}", "--data", str(data)]
    with process(command, folder / "directory.log", lambda: accepts(port)):
        yield f"http://127.0.0.1:{port}", data


def publish(world: Any, data: Path) -> None:
    """Makes the simulator say what the world's outside says."""
    outside = world.outside
    people = []
    for key, register in outside.persons.items():
        posts = [asdict(post) | {"person_id": asdict(key)} for post in outside.posts.values() if post.person == key]
        for post in posts:
            del post["person"]
            post["valid_to"] = post["valid_to"].isoformat() if post["valid_to"] else None
        people.append({"person_id": asdict(key), "register": asdict(register), "posts": posts})
    temporary = data.with_suffix(".new")
    temporary.write_text(json.dumps(people))
    temporary.replace(data)
