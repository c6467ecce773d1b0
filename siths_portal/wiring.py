"""The one place that picks adapter classes for ports, from dotted paths in the settings."""

from django.conf import settings
from django.utils.module_loading import import_string

from issuance.ports import PersonRegister, StaffDirectory
from siths_portal.lib import ports


def connect() -> None:
    """Connects each port to its adapter. Called once, when all applications are loaded."""
    ports.connect(StaffDirectory, import_string(settings.DIRECTORY_BACKEND)())
    ports.connect(PersonRegister, import_string(settings.PERSON_REGISTER_BACKEND)())
