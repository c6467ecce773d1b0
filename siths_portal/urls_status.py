"""Root urlconf of the status face."""

from siths_portal.lib import health

urlpatterns = [*health.urls(database=health.database)]
