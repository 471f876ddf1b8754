# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Read the body of an HTTP response: complete, of limited size, and decompressed here because it may be a decompression bomb."""

from __future__ import annotations

import typing as t
import zlib

__all__ = ("CutOff", "Damaged", "TooLarge", "read_body")

_CHUNK = 16 << 10


class TooLarge(Exception):
    """The body exceeds the limit, before or after decompression."""


class Damaged(Exception):
    """The compression is broken or unknown."""


class CutOff(Exception):
    """The connection ended before the response did."""


def read_body(response: t.Any, *, largest: int, in_time: t.Callable[[], None] = lambda: None) -> bytes:
    """The decoded body of a ``requests.Response`` that was requested with ``stream=True``.

    Memory use never exceeds *largest* plus one chunk, whatever is sent.

    :arg in_time: called after each chunk; raises an exception to stop reading.
    :raises TooLarge, Damaged, CutOff: the body is not complete.
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
    length = str(response.headers.get("Content-Length") or "")
    if length.isdigit() and received < int(length) and response.request.method != "HEAD":
        raise CutOff
    # A connection that ends within the headers looks like a response without a body. A response that keeps the connection open
    # (HTTP/1.1) must announce its body: by its length, by chunks, or by the status.
    announced = length or "chunked" in response.headers.get("Transfer-Encoding", "").lower() or response.status_code in (204, 304)
    kept_open = response.raw.version == 11 and "close" not in response.headers.get("Connection", "").lower()
    if not received and not announced and kept_open:
        raise CutOff


class _Identity:
    def more(self, chunk: bytes, _room: int) -> bytes:
        return chunk

    def end(self) -> None:
        """Nothing is buffered."""


class _Inflate:
    """gzip (also with several members) or zlib, as its header says."""

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
