"""A mistyped SITHS_FACE is one line, not a traceback."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_an_unknown_face_is_refused_in_one_line() -> None:
    env = os.environ | {"SITHS_FACE": "foo", "DEBUG": "1"}
    done = subprocess.run([sys.executable, "manage.py", "check"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["SITHS_FACE is 'foo'. Use one of api, login, minasidor, portal, status."]
