"""The start of a simulator as a process: its command alone, for `manage.py`."""

from importlib import import_module

from django.apps import apps
from django.conf import settings


def run(argv: list[str]) -> None:
    """Runs the command that `argv` names, with its options.

    Does what `django.setup()` does but for the prefix of addresses, for which Django loads its forms of requests and all of its
    models: a simulator has no such addresses.
    """
    apps.populate(settings.INSTALLED_APPS)
    command = import_module(f"siths_portal.simulators.management.commands.{argv[1]}").Command()
    command.run_from_argv(argv)
