"""`billing_demo_prices`: demo prices for every article and demo terms for every directly connected organisation."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing.customers.services import demo


class Command(BaseCommand):
    """Keeps existing prices and terms, so it can be repeated. Refuses to run with DEBUG off."""

    help = "Lägger in demopriser och demokunder."

    def handle(self, *args: Any, **options: Any) -> None:
        """Adds the missing prices and terms."""
        if not settings.DEBUG:
            raise CommandError("Demopriser läggs bara in i utvecklingsläge (DEBUG).", returncode=2)
        prices, customers = demo.load_demo_prices()
        self.stdout.write(f"{prices} priser och {customers} kunder lades till.")
