# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Whether a request that failed was sent at all. If it was, repeating it could use up a credential twice."""

from __future__ import annotations

import types

from .causes import causes

__all__ = ("is_unsent",)


def is_unsent(problem: BaseException) -> bool:
    """Whether the connection was not made, so that nothing of the request was sent. In doubt, it was sent.

    The type alone does not tell: with a proxy, urllib3 raises ProxyError for a connection that broke after the request as well, and
    SSLError can mean a failed handshake or an answer that is no TLS.
    """
    import urllib3.exceptions as u

    unsent = (u.NewConnectionError, u.ConnectTimeoutError, ConnectionRefusedError)
    return any(isinstance(link, unsent) or _arose_in_connect(link.__traceback__) for link in causes(problem))


def _arose_in_connect(traceback: types.TracebackType | None) -> bool:
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code.co_name == "connect" and frame.f_globals.get("__name__") == "urllib3.connection":
            return True
        traceback = traceback.tb_next
    return False
