"""Starts Heisenbridge as its own command does. With "unpaced" as first argument, what it does slowly on purpose is
fast: lines to IRC (flood control), and the connections that follow each other when it starts."""

import asyncio
import asyncio.base_events
import logging
import sys

from heisenbridge import irc
from heisenbridge.__main__ import async_main


async def send_at_once(connection):
    while True:
        _, line, _ = await connection._queue.get()
        try:
            super(irc.HeisenConnection, connection).send_raw(line)
        except Exception:
            logging.exception("a line was refused")
        connection._queue.task_done()


def connect_at_once(call_later):
    def without_waiting(loop, delay, callback, *rest, **named):
        if getattr(callback, "__name__", "") == "sync_connect":
            delay = 0
        return call_later(loop, delay, callback, *rest, **named)

    return without_waiting


if sys.argv.pop(1) == "unpaced":
    irc.HeisenConnection._run = send_at_once
    loop = asyncio.base_events.BaseEventLoop
    loop.call_later = connect_at_once(loop.call_later)
asyncio.run(async_main())
