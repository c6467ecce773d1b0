"""Root urlconf of the minasidor face."""

from siths_portal.lib import health

urlpatterns = [*health.urls(database=health.database)]
