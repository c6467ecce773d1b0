"""A module with a browser leaves no connection to the next one."""

import asyncio

from django.db import connection

from tests.browser import _Chromium


def test_the_connection_beside_playwrights_loop_ends_with_the_module(transactional_db):
    loop = asyncio.new_event_loop()
    asyncio._set_running_loop(loop)
    try:
        connection.ensure_connection()
        beside_the_loop = connection.connection
        _Chromium().give_back()
    finally:
        asyncio._set_running_loop(None)
        loop.close()
    assert beside_the_loop.closed
