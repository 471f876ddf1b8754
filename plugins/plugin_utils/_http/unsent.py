# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Whether a request that failed was sent at all. If it was, repeating it could use up a credential twice."""

from __future__ import annotations

import re
import types

from .causes import causes

__all__ = ("is_unsent",)

# OpenSSL's names of the alerts of a server that does not accept our certificate. With TLS 1.3 they arrive after we have sent the request.
_CERTIFICATE_REFUSED = re.compile(r"ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)")


def is_unsent(problem: BaseException) -> bool:
    """Whether the server cannot have read the whole request: the connection was not made, or broke while sending. In doubt, it has.

    The type alone does not tell: with a proxy, urllib3 raises ProxyError for a connection that broke after the request as well, and
    SSLError can mean a failed handshake or an answer that is no TLS.
    """
    import ssl

    import urllib3.exceptions as u

    unsent = (u.NewConnectionError, u.ConnectTimeoutError, ConnectionRefusedError)
    return any(
        isinstance(link, unsent)
        or _arose_before_the_end(link.__traceback__)
        or (isinstance(link, ssl.SSLError) and _CERTIFICATE_REFUSED.search(str(getattr(link, "reason", ""))) is not None)
        for link in causes(problem)
    )


def _arose_before_the_end(traceback: types.TracebackType | None) -> bool:
    """Whether the error was raised while connecting or sending the request, and not while reading the response."""
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code.co_name in ("connect", "request") and frame.f_globals.get("__name__") == "urllib3.connection":
            return True
        traceback = traceback.tb_next
    return False
