"""Named points at which a test can make a process die as by a power cut, to prove that repeating the call loses nothing."""

import os
import signal
from pathlib import Path


def point(name: str) -> None:
    """Ends this process with SIGKILL if the point is armed: if the folder `SITHS_FAULT_DIR` holds a file called `name`.

    The file is removed first, so that an armed point strikes once. Without the variable this does nothing; a system check
    refuses the variable when DEBUG is off.
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
