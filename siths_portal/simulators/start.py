"""Starts a simulator's command for `manage.py`."""

from importlib import import_module

from django.apps import apps
from django.conf import settings


def run(argv: list[str]) -> None:
    """Runs the command in `argv` with its options.

    Does the same as `django.setup()` except setting the URL prefix, for which Django would load its request handling and models.
    Simulators have no URLs of Django.
    """
    apps.populate(settings.INSTALLED_APPS)
    command = import_module(f"siths_portal.simulators.management.commands.{argv[1]}").Command()
    command.run_from_argv(argv)
