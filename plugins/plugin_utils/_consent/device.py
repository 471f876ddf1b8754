# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Consent on another device (RFC 8628): the code that a person enters there, and how long and how often to poll for the outcome.

Requests and the clock are passed in.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlunsplit

from .._base.errors import OptionError, VendorError, sentence
from .._base.model import HttpAnswer, HttpRequest, Token, Vendor
from .._base.ports import Ports
from .._base.strict_json import parse_json
from .._vendor.address import host, is_private, is_usable, split_address
from .._vendor.redaction import Redactor
from .._vendor.request import DEVICE_GRANT, Assertion, Grant, client_request
from .protocol import consent_parameters

__all__ = ("DeviceCode", "check_device_endpoint", "device_grant", "device_request", "next_interval", "outcome", "poll", "read_device_answer")

_INTERVAL = 5.0  # seconds; RFC 8628 3.2: if the vendor sends none
_LONGEST_INTERVAL = 60.0
_LIFETIME = 300.0
_LONGEST_LIFETIME = 1800.0
_SLOWER = 5.0  # seconds; RFC 8628 3.5
_LONGEST_CODE = 64


@dataclass(frozen=True)
class DeviceCode:
    """The code and the URL for the person, and the code with which this machine polls. ``lifetime`` and ``interval`` are seconds."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    verification_uri: str
    verification_uri_complete: str = field(repr=False)
    lifetime: float
    interval: float


def check_device_endpoint(vendor: Vendor, *, allow_http: bool) -> None:
    """:raises OptionError: ``device_authorization_url`` is missing or unusable."""
    if not vendor.device_authorization_url:
        raise OptionError(
            f"{vendor.name}: the URL for the device flow (RFC 8628) is not known. Set device_authorization_url or issuer, or use flow=code.",
            fault="option:missing",
        )
    url = vendor.url(vendor.device_authorization_url)
    if not is_usable(url):
        raise OptionError(
            f"{vendor.name}: device_authorization_url is not a usable http(s) address. Check base_url and device_authorization_url.", fault="option:address"
        )
    if not is_private(url, allow_http=allow_http):
        raise OptionError(
            f"{vendor.name}: {host(url)} would get the credentials over plain http. Use https, or set allow_http if you must.", fault="option:plain_http"
        )


def device_request(vendor: Vendor, fields: t.Mapping[str, str], *, assertion: Assertion) -> HttpRequest:
    """The request for a code (RFC 8628 3.1); the client authenticates as at the token endpoint.

    A query in ``device_authorization_url`` is moved into the form, for parameters that a vendor requires beyond the standard.

    :raises OptionError: the query has a parameter that is added anyway.
    """
    parts = split_address(vendor.url(vendor.device_authorization_url))
    form = consent_parameters(vendor, "device_authorization_url", parts.query, [("client_id", fields["client_id"])])
    return client_request(vendor, urlunsplit(parts._replace(query="")), fields, form, assertion=assertion)


def device_grant(code: DeviceCode) -> Grant:
    """The grant that polls for the outcome (RFC 8628 3.4)."""
    return Grant(DEVICE_GRANT, {"device_code": code.device_code}, repeatable=False)


def read_device_answer(vendor: Vendor, answer: HttpAnswer, *, redactor: Redactor, allow_http: bool) -> DeviceCode:
    """The code in the vendor's response (RFC 8628 3.2).

    :raises VendorError: there is no code, or the URL must not be opened, or the code must not be shown.
    """
    body = _body(answer)
    if not 200 <= answer.status < 300 or "error" in body:
        raise _refused(vendor, answer, body, redactor)
    uri = _text(body, "verification_uri") or _text(body, "verification_url")  # the name in drafts, which some vendors still use
    device_code, user_code = _text(body, "device_code"), _text(body, "user_code")
    if not (device_code and user_code and uri):
        raise VendorError(
            f"{vendor.name}: the answer of the vendor at {host(vendor.url(vendor.device_authorization_url))} has no device code (RFC 8628). "
            "Check device_authorization_url.",
            status=answer.status,
            fault="consent:not_asked",
        )
    complete = _text(body, "verification_uri_complete")
    for address in filter(None, (uri, complete)):
        if not is_usable(address) or not is_private(address, allow_http=allow_http):
            raise VendorError(
                f"{vendor.name}: the vendor sent no usable https URL for the person. Nothing is shown.", status=answer.status, fault="consent:not_asked"
            )
    if len(user_code) > _LONGEST_CODE or not user_code.isprintable():
        raise VendorError(
            f"{vendor.name}: the vendor's code is not one that a person can enter. Nothing is shown.", status=answer.status, fault="consent:not_asked"
        )
    if redactor.is_in(user_code, uri, complete):
        raise VendorError(
            f"{vendor.name}: the vendor's code or its address contains a credential. Nothing is shown.", status=answer.status, fault="consent:not_asked"
        )
    return DeviceCode(
        device_code,
        user_code,
        uri,
        complete,
        lifetime=min(_seconds(body.get("expires_in")) or _LIFETIME, _LONGEST_LIFETIME),
        interval=min(_seconds(body.get("interval")) or _INTERVAL, _LONGEST_INTERVAL),
    )


def poll(vendor: Vendor, code: DeviceCode, ask: t.Callable[[], Token], *, ports: Ports, seconds: float) -> Token:
    """Ask for the token as often as the vendor allows (RFC 8628 3.4, 3.5), until the person has decided.

    :arg ask: one request, without repetitions.
    :arg seconds: how long to wait at most; the code may expire earlier.
    :raises VendorError: consent was denied, the code expired, or nobody entered it.
    """
    until, interval = ports.monotonic() + seconds, code.interval
    while ports.monotonic() + interval < until:
        ports.sleep(interval)
        try:
            return ask()
        except VendorError as exc:
            following = next_interval(exc, interval)
            if following is None:
                final = outcome(vendor, exc)
                raise final.reworded(f"{sentence(final.message)} Nothing was stored.") from None
            interval = following
    raise VendorError(
        f"{vendor.name}: nobody entered the code and allowed access within {seconds:.0f} s. Nothing was stored. Start again.", fault="consent:timeout"
    )


def next_interval(exc: VendorError, interval: float) -> float | None:
    """The seconds to wait before polling again (RFC 8628 3.5); None if *exc* is final."""
    if exc.code == "authorization_pending":
        return interval
    if exc.code == "slow_down":
        return interval + _SLOWER
    if exc.kind == "unavailable":
        return min(max(interval * 2, exc.retry_after or 0), _LONGEST_INTERVAL)
    return None


def outcome(vendor: Vendor, exc: VendorError) -> VendorError:
    """*exc*, which ended the wait, with a message for the person."""
    known = {
        "access_denied": ("the consent was denied on the other device (access_denied).", "consent:denied"),
        "expired_token": ("the code expired before it was entered and approved (expired_token). Start again.", "consent:timeout"),
        "invalid_grant": ("the vendor no longer knows the code (invalid_grant). Start again.", "consent:code"),
    }
    if exc.code not in known:
        return exc
    text, fault = known[exc.code]
    return VendorError(f"{vendor.name}: {text}", exc.kind, status=exc.status, code=exc.code, fault=fault)


def _refused(vendor: Vendor, answer: HttpAnswer, body: t.Mapping[str, t.Any], redactor: Redactor) -> VendorError:
    code = _text(body, "error")
    shown = redactor.shown(code, limit=60) if code else f"HTTP {answer.status}"
    description = _text(body, "error_description")
    tail = f" The vendor says: {redactor.shown(description)}" if description else ""
    where = host(vendor.url(vendor.device_authorization_url))
    kind = "unavailable" if answer.status >= 500 or answer.status == 429 else "refused"
    return VendorError(
        f"{vendor.name}: the vendor at {where} gave no device code: {shown}. "
        f"Check client_id, client_auth, scope and device_authorization_url, and that the client may use the device flow.{tail}",
        kind,
        status=answer.status,
        code=shown,
        fault="consent:not_asked",
    )


def _body(answer: HttpAnswer) -> t.Mapping[str, t.Any]:
    try:
        parsed = parse_json(answer.body)
    except ValueError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {}


def _text(body: t.Mapping[str, t.Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _seconds(value: t.Any) -> float | None:
    """A number of seconds, at least one, also from a string; None if it is not positive."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return max(seconds, 1.0) if math.isfinite(seconds) and seconds > 0 else None
