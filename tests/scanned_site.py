"""The WSGI application of a site, whose requests are scanned for personal data (`tests/personal_addresses.py`)."""

from siths_portal.wsgi import application
from tests import personal_addresses

__all__ = ["application"]

personal_addresses.report_by_file()
personal_addresses.scan_requests()
