"""Settings of every service and worker, from environment variables (`docs/settings.md`), by subject."""

# ruff: noqa: F403  (Django reads all settings from one module)

from siths_portal.settings.addresses import *
from siths_portal.settings.api import *
from siths_portal.settings.database import *
from siths_portal.settings.environment import *
from siths_portal.settings.issuance import *
from siths_portal.settings.log_in import *
from siths_portal.settings.operator import *
from siths_portal.settings.pki import *
from siths_portal.settings.web import *
