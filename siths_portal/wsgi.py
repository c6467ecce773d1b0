"""WSGI entry of each face; `SITHS_FACE` names the face and with it the root urlconf."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")

application = get_wsgi_application()
