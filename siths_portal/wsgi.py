"""WSGI entry of each face; `SITHS_FACE` names the face and with it the root urlconf."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")

application = get_wsgi_application()

from siths_portal.lib import checks  # noqa: E402  (needs the loaded applications)

checks.stop_if_unsafe()
import_module(settings.ROOT_URLCONF)  # a face whose addresses cannot be loaded must not start
