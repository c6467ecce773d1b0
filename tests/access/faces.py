"""The other faces in this process, with the settings that their own processes have."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.conf import settings
from django.test import override_settings

_NAMES = ("FACE", "ROOT_URLCONF", "MIDDLEWARE", "CSRF_COOKIE_NAME", "SESSION_COOKIE_NAME", "TEMPLATES", "OIDC_ACR_VALUES")
_PROGRAM = f"""
import json
from django.conf import settings
print(json.dumps({{name: getattr(settings, name) for name in {_NAMES}}}, default=str))
"""


@cache
def settings_of(face: str) -> dict[str, Any]:
    """What a process of the face is set to, asked of one."""
    environment = os.environ | {"SITHS_FACE": face, "DJANGO_SETTINGS_MODULE": "siths_portal.settings"}
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextlib.contextmanager
def face(name: str, **more: Any) -> Iterator[None]:
    """This process serves the face meanwhile."""
    with override_settings(**settings_of(name), **more):
        yield
