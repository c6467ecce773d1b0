"""A program of a supplier, run while this process does what the workers do: apply reports that waited, add items."""

import subprocess
import time
from typing import Any

SECONDS = 240


def run(command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Runs the command to its end. Meanwhile parked reports are replayed and items are added, as the worker does."""
    from issuance.suppliers.services import remakes, supplier_events

    deadline = time.monotonic() + SECONDS
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
        while True:
            try:
                stdout, stderr = process.communicate(timeout=0.2)
                return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    process.kill()
                    raise
                supplier_events.replay_all()
                remakes.add_items()
