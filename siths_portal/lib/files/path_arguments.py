"""Argument types for paths in commands: a mistyped path gives one line and exit status 2 before the command does anything.

No type makes a folder. A command that writes into a folder requires an existing one, since a new folder would hide the mistake.
"""

import os
from argparse import ArgumentTypeError
from pathlib import Path


def readable_file(text: str) -> Path:
    """Returns the path of a file, pipe or device that this process may read. Raises ArgumentTypeError."""
    path = Path(text)
    _require(bool(text) and path.exists(), f"filen {text} finns inte")
    _require(not path.is_dir(), f"{text} är en mapp; ange en fil")
    _require(os.access(path, os.R_OK), f"filen {text} går inte att läsa")
    return path


def readable_folder(text: str) -> Path:
    """Returns the path of a folder whose files this process may list. Raises ArgumentTypeError."""
    path = _folder(text)
    _require(os.access(path, os.R_OK | os.X_OK), f"mappen {text} går inte att läsa")
    return path


def writable_folder(text: str) -> Path:
    """Returns the path of a folder that exists and that this process may write in. Raises ArgumentTypeError."""
    path = _folder(text)
    _require(os.access(path, os.W_OK | os.X_OK), f"mappen {text} går inte att skriva i")
    return path


def output_file(text: str) -> Path:
    """Returns the path of a file to write, in a folder that exists; the file may exist. Raises ArgumentTypeError."""
    path = Path(text)
    _require(bool(text) and not path.is_dir(), f"{text or 'namnet'} är ingen fil; ange en fil att skriva")
    writable_folder(str(path.parent))
    _require(not path.exists() or os.access(path, os.W_OK), f"filen {text} går inte att skriva")
    return path


def result_folder(text: str) -> Path:
    """Returns the path of a folder to write in, which the command makes if its parent exists. Raises ArgumentTypeError."""
    path = Path(text)
    return writable_folder(text) if path.exists() or not text else writable_folder(str(path.parent)) / path.name


def _folder(text: str) -> Path:
    path = Path(text)
    _require(bool(text) and path.exists(), f"mappen {text} finns inte")
    _require(path.is_dir(), f"{text} är ingen mapp")
    return path


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ArgumentTypeError(message)
