# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Parse lifetimes and moments as servers write them. Pure."""

from __future__ import annotations

import math
import re
import typing as t
from datetime import datetime, timedelta, timezone
from email.utils import mktime_tz, parsedate_tz

from .._base.model import HttpAnswer

__all__ = ("NUMBER", "Moment", "clock_difference", "read_moment")

_ABSOLUTE_FROM = 1e9  # seconds: no lifetime is 30 years long, and no expiry is before 2001
_SCALES = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))  # seconds, milliseconds, microseconds, nanoseconds since 1970
_ENDLESS = 1e10  # seconds, for a lifetime that no float can hold
_DAY = 86400.0
_LONGEST_TEXT = 100  # characters; no moment is longer, and parsing a longer text could take more than linear time

NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?\Z")
_GROUPED = re.compile(r"\d{1,3}(?:[,_' ]\d{3})+\Z")
_UNITS = {"ms": 0.001, "msec": 0.001, "millisecond": 0.001, "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60}
_UNITS |= {"h": 3600, "hr": 3600, "hour": 3600, "d": _DAY, "day": _DAY, "w": 7 * _DAY, "week": 7 * _DAY}
_WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)[\s,]*(?:and\s+)?")
_ISO_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:[.,]\d+)?)S)?)?\Z", re.IGNORECASE)
_TIMESPAN = re.compile(r"(?:(\d+)(?:\.|\s+|\s+days?,?\s+))?(\d{1,3}):(\d{2}):(\d{2})(?:\.(\d+))?\Z")
_DOT_NET_DATE = re.compile(r"(?:/|\\/)?(?:new )?Date\((-?\d+)(?:[+-]\d{4})?\)(?:/|\\/)?\Z")
_CLOCK = r"(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,](\d+))?)?"
_ZONE = r"\s*(Z|UTC|GMT|(?:GMT|UTC)?[+-]\d{2}:?\d{2}|[+-]\d{2})?(?:\s*\(.*\))?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/]?)(\d{{1,2}})\2(\d{{1,2}})(?:[T\s]\s*{_CLOCK}(?:\s*([AP])\.?M\.?)?)?{_ZONE}\Z", re.IGNORECASE)
_COMPACT = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z?\Z")
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}})(?:[T\s,]+{_CLOCK}(?:\s*([AP])\.?M\.?)?)?{_ZONE}\Z", re.IGNORECASE)
_MONTH_NAMED = re.compile(
    rf"(?:[A-Z]{{3,9}},?\s+)?([A-Z]{{3,9}})\.?\s+(\d{{1,2}}),?\s+(\d{{4}})(?:,?\s+{_CLOCK}(?:\s*([AP])\.?M\.?)?)?{_ZONE}\Z", re.IGNORECASE
)
_RFC_DATE = re.compile(r"(?:[A-Z]{3,9},?\s+)?(?:\d{1,2}[\s-][A-Z]{3}[\s-]\d{2,4}|[A-Z]{3}\s+\d{1,2})\s+\d{1,2}:\d{2}", re.IGNORECASE)
_MONTHS = {name: number for number, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)}


class Moment(t.NamedTuple):
    """Seconds from now; if ``absolute``, seconds since 1970 on the server's clock."""

    seconds: float
    absolute: bool


def read_moment(value: t.Any) -> Moment | None:
    """A lifetime or a moment: a number, a text in a known notation, or one of these in a list or object. None if it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, str):
        return _text(value.strip().strip("\"'")) if len(value) <= _LONGEST_TEXT else None
    if isinstance(value, list):
        return read_moment(value[0]) if len(value) == 1 else None
    if isinstance(value, dict):
        return _object(value)
    return None


def _number(value: float) -> Moment | None:
    try:
        number = float(value)
    except OverflowError:
        return Moment(_ENDLESS if value > 0 else -_ENDLESS, absolute=False)
    if not math.isfinite(number):
        return None
    if number < _ABSOLUTE_FROM:
        return Moment(number, absolute=False)
    for below, scale in _SCALES:
        if number < below:
            return Moment(number / scale, absolute=True)
    return Moment(_ENDLESS, absolute=False)


def _object(value: dict[str, t.Any]) -> Moment | None:
    """The moment in an object of Protobuf, MongoDB, PHP or .NET."""
    if "seconds" in value:
        return read_moment(value["seconds"])
    zone = value.get("timezone")
    if zone not in (None, "UTC", "Z", "+00:00", "GMT"):
        return None  # a zone name, whose rules are not known here
    for name in ("$date", "$numberLong", "date", "totalSeconds", "TotalSeconds", "value"):
        if name in value:
            return read_moment(value[name])
    return None


def _text(text: str) -> Moment | None:
    compact = _COMPACT.match(text)
    moment = _calendar(*compact.groups()) if compact else None
    if moment is not None:
        return moment
    if NUMBER.match(text):
        return _number(float(text))
    if _GROUPED.match(text):
        return _number(float(re.sub(r"\D", "", text)))
    seconds = _duration(text)
    if seconds is not None:
        return Moment(seconds, absolute=False)
    return _date(text)


def _duration(text: str) -> float | None:
    whole = _ISO_DURATION.match(text)
    if whole and any(whole.groups()):
        parts = [float((part or "0").replace(",", ".")) for part in whole.groups()]
        return sum(part * scale for part, scale in zip(parts, (7 * _DAY, _DAY, 3600, 60, 1), strict=True))
    span = _TIMESPAN.match(text)
    if span:
        days, hours, minutes, seconds, _fraction = span.groups()
        return int(days or 0) * _DAY + int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    total, position = 0.0, 0
    for match in _WITH_UNIT.finditer(text):
        unit = match[2].casefold()
        scale = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
        if scale is None or match.start() != position:
            return None
        total, position = total + float(match[1]) * scale, match.end()
    return total if position and position == len(text) else None


def _date(text: str) -> Moment | None:
    dot_net = _DOT_NET_DATE.match(text)
    if dot_net:
        return Moment(int(dot_net[1]) / 1000, absolute=True)
    match = _YEAR_FIRST.match(text)
    if match:
        year, _separator, month, day, *clock = match.groups()
        return _calendar(year, month, day, *clock)
    match = _YEAR_LAST.match(text)
    if match:
        first, separator, second, year, *clock = match.groups()
        # Only the US writes 12/31/2026; with other separators, or if the first number cannot be a month, the day comes first.
        month, day = (second, first) if separator != "/" or int(first) > 12 else (first, second)
        return _calendar(year, month, day, *clock)
    match = _MONTH_NAMED.match(text)
    if match and match[1][:3].casefold() in _MONTHS:
        name, day, year, *clock = match.groups()
        return _calendar(year, str(_MONTHS[name[:3].casefold()]), day, *clock)
    return _mail_date(text)


def _calendar(*parts: str | None) -> Moment | None:
    year, month, day, hour, minute, second, fraction, half, zone = (*parts, *[None] * 9)[:9]
    hours = int(hour or 0)
    if half:
        hours = hours % 12 + (12 if half.upper() == "P" else 0)
    try:
        moment = datetime(int(year or 0), int(month or 0), int(day or 0), hours, int(minute or 0), min(int(second or 0), 59), tzinfo=_zone(zone))
        return Moment(moment.timestamp() + float(f"0.{fraction or 0}"), absolute=True)
    except (ValueError, OverflowError):
        return None


def _zone(zone: str | None) -> timezone:
    """The zone; UTC if there is none, as servers mean it."""
    digits = re.sub(r"[^\d+-]", "", zone or "")
    if len(digits) < 3:
        return timezone.utc
    minutes = int(digits[1:3]) * 60 + int(digits[3:] or 0)
    return timezone(timedelta(minutes=-minutes if digits[0] == "-" else minutes))


def _mail_date(text: str) -> Moment | None:
    """The three forms of RFC 9110 5.6.7."""
    try:
        parsed = parsedate_tz(text) if _RFC_DATE.match(text) else None
        return Moment(float(mktime_tz(parsed)), absolute=True) if parsed else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def clock_difference(answer: HttpAnswer, now: float) -> float | None:
    """By how many seconds our clock is ahead of the server's, according to its ``Date`` header."""
    date = _mail_date(answer.headers.get("date", ""))
    return now - date.seconds if date else None
