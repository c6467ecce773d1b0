"""Named points where a test can kill a process, as a power cut would, to prove that repeating the call loses nothing."""

import os
import signal
from pathlib import Path


def point(name: str) -> None:
    """Kills this process with SIGKILL if the folder `SITHS_FAULT_DIR` has a file called `name`.

    It first deletes the file, so that each file kills one process. Without the variable it does nothing; a system check refuses
    the variable when DEBUG is off.
    """
    folder = os.environ.get("SITHS_FAULT_DIR")
    if not folder:
        return
    armed = Path(folder) / name
    try:
        armed.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
