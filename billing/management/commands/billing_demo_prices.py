"""`billing_demo_prices`: demo prices for every article and demo terms for every directly connected organisation."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from billing.customers.services import demo
from billing.records.domain.periods import Month
from siths_portal.lib import clock
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Keeps existing prices and terms, so it can be repeated. Refuses to run with DEBUG off."""

    help = "Lägger in demopriser och demokunder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares --since-last-month."""
        parser.add_argument(
            "--since-last-month", action="store_true", help="Kunderna finns sedan förra månadens början, så att den faktureras."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Adds the missing prices and terms."""
        if not settings.DEBUG:
            raise CommandError("Demopriser läggs bara in i utvecklingsläge (DEBUG).", returncode=2)
        since = Month.of(clock.now()).previous().start if options["since_last_month"] else None
        prices, customers = demo.load_demo_prices(since)
        self.stdout.write(f"{prices} priser och {customers} kunder lades till.")
