# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The forms in which a caller gets a token: the values of the option C(output)."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .model import Token

__all__ = ("OUTPUTS", "authorization", "details", "iso_time", "present", "token_type")


def authorization(token: Token, scheme: str) -> str:
    """The value of the ``Authorization`` header: RFC 6750 spells it ``Bearer``, however the vendor spells its token_type."""
    return f"{scheme} {token.access_token}" if scheme else token.access_token


def token_type(token: Token, scheme: str) -> str:
    """How the token is used: ``raw`` if the header has no scheme, whatever RFC 6749 says about a missing token_type."""
    return token.token_type if scheme else "raw"


def iso_time(moment: float) -> str:
    """*moment*, in UNIX seconds, as ISO 8601 in UTC with whole seconds."""
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def details(token: Token, *, vendor: str, scheme: str, now: float) -> dict[str, t.Any]:
    """The public facts. ``expires_at`` and ``issued_at`` are whole UNIX seconds (UTC), ``expires_in`` whole seconds from *now*."""
    return {
        "vendor": vendor,
        "access_token": token.access_token,
        "token_type": token_type(token, scheme),
        "authorization": authorization(token, scheme),
        "expires_at": int(token.expires_at),
        "expires_in": max(0, int(token.expires_at - now)),
        "issued_at": int(token.issued_at),
        "scope": token.scope,
        "source": token.source,
        "extra": dict(token.extra),
    }


OUTPUTS: t.Mapping[str, t.Callable[..., t.Any]] = {
    "token": lambda token, **_facts: token.access_token,
    "authorization": lambda token, **facts: authorization(token, facts["scheme"]),
    "headers": lambda token, **facts: {"Authorization": authorization(token, facts["scheme"])},
    "details": details,
}


def present(token: Token, output: str, *, vendor: str, scheme: str, now: float) -> t.Any:
    """*token* in the form that *output* names."""
    return OUTPUTS[output](token, vendor=vendor, scheme=scheme, now=now)
