# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Keep the logs of HTTP libraries silent about our own requests.

urllib3, requests and http.client log URLs, headers and bodies to any listener: a root handler that another plugin configured,
ANSIBLE_LOG_PATH, ``http.client.HTTPConnection.debuglevel``. TrackMage's URL contains its secret. Requests of other code in the same
process are logged as before.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import typing as t

__all__ = ("adapter_class", "quiet", "quiet_adapter")

_NEVER_HANDLED = -1  # below NOTSET, so that no handler accepts the record
_here = threading.local()


@contextlib.contextmanager
def quiet() -> t.Iterator[None]:
    """Within this context, only Ansible itself logs in this thread.

    The record factory is the one place that every logger uses, even one created later, whatever its level and handlers.
    """
    if not isinstance(logging.getLogRecordFactory(), _Factory):
        logging.setLogRecordFactory(_Factory(logging.getLogRecordFactory()))
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        yield
    finally:
        _here.depth -= 1


class _Factory:
    def __init__(self, before: t.Callable[..., logging.LogRecord]) -> None:
        self._before = before

    def __call__(self, name: str, *arguments: t.Any, **keywords: t.Any) -> logging.LogRecord:
        if not getattr(_here, "depth", 0) or name.partition(".")[0] == "ansible":
            return self._before(name, *arguments, **keywords)
        # Without the text too, because a handler may ignore the level.
        return logging.LogRecord(name, _NEVER_HANDLED, "", 0, "not logged: it is about a request with credentials", (), None)


def quiet_adapter(**options: t.Any) -> t.Any:
    """An ``HTTPAdapter`` of requests whose connections print nothing, whatever the debug level of http.client."""
    return adapter_class()(**options)


@functools.cache
def adapter_class() -> t.Any:
    """The class of :func:`quiet_adapter`, as a base class."""
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        # requests before 2.32 calls the second one.
        def get_connection_with_tls_context(self, *arguments: t.Any, **keywords: t.Any) -> t.Any:
            return _silenced(super().get_connection_with_tls_context(*arguments, **keywords))

        def get_connection(self, *arguments: t.Any, **keywords: t.Any) -> t.Any:
            return _silenced(super().get_connection(*arguments, **keywords))

    return Adapter


def _silenced(pool: t.Any) -> t.Any:
    pool.ConnectionCls = _silent(pool.ConnectionCls)
    return pool


@functools.cache
def _silent(connection: t.Any) -> t.Any:
    if "trackops_silent" in connection.__dict__:
        return connection
    return type(connection.__name__, (connection,), {"debuglevel": 0, "trackops_silent": True, "__doc__": connection.__doc__})
