# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The body of an HTTP answer: so large at most, decoded here because a compressed one can be a bomb, and whole."""

from __future__ import annotations

import typing as t
import zlib

__all__ = ("CutOff", "Damaged", "TooLarge", "read_body")

_CHUNK = 16 << 10


class TooLarge(Exception):
    """More than was asked for, as it came or once it was inflated."""


class Damaged(Exception):
    """Its compression is broken, or one that is not known."""


class CutOff(Exception):
    """The connection ended before the answer did."""


def read_body(response: t.Any, *, largest: int, in_time: t.Callable[[], None] = lambda: None) -> bytes:
    """The decoded body of a ``requests.Response`` that was sent for with ``stream=True``.

    At no time is more than *largest* and a chunk in memory, however much is sent or inflated.

    :arg in_time: called after each chunk; raises what ends the reading.
    :raises TooLarge, Damaged, CutOff: there is no whole body.
    """
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    decode = _Inflate() if coding in ("gzip", "x-gzip", "deflate") else _Identity()
    if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise Damaged
    plain, received = bytearray(), 0
    while True:
        chunk = response.raw.read(_CHUNK, decode_content=False)
        if not chunk:
            break
        received += len(chunk)
        plain += decode.more(chunk, largest + 1 - len(plain))
        if max(len(plain), received) > largest:
            raise TooLarge
        in_time()
    _check_length(response, received)
    if received:
        decode.end()
    return bytes(plain)


def _check_length(response: t.Any, received: int) -> None:
    said = str(response.headers.get("Content-Length") or "")
    if said.isdigit() and received < int(said) and response.request.method != "HEAD":
        raise CutOff
    # A connection that ends within the headers looks like an answer with no body. One that keeps the connection open (HTTP/1.1)
    # has to announce its body: by its length, by chunks, or by the status.
    announced = said or "chunked" in response.headers.get("Transfer-Encoding", "").lower() or response.status_code in (204, 304)
    kept_open = response.raw.version == 11 and "close" not in response.headers.get("Connection", "").lower()
    if not received and not announced and kept_open:
        raise CutOff


class _Identity:
    def more(self, chunk: bytes, _room: int) -> bytes:
        return chunk

    def end(self) -> None:
        """Nothing is left."""


class _Inflate:
    """gzip (of several members too) or zlib, by its header."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=47)

    def more(self, chunk: bytes, room: int) -> bytes:
        plain = b""
        try:
            while chunk and len(plain) < room:
                if self._inflate.eof:
                    self._inflate = zlib.decompressobj(wbits=47)
                plain += self._inflate.decompress(chunk, room - len(plain))
                chunk = self._inflate.unconsumed_tail or self._inflate.unused_data
        except zlib.error:
            raise Damaged from None
        return plain

    def end(self) -> None:
        if not self._inflate.eof:
            raise CutOff
