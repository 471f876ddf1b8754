# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bodies of answers: bounded, in memory too; decoded; complete."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import types
import zlib

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._http.body import CutOff, Damaged, TooLarge, read_body


class Pieces:
    """A stream that returns its data piece by piece, as a connection does."""

    def __init__(self, *pieces):
        self.pieces = list(pieces)

    def read(self, _size):
        return self.pieces.pop(0) if self.pieces else b""


def response(content, *, status=200, version=11, method="GET", **headers):
    named = {name.replace("_", "-").title(): value for name, value in headers.items() if value is not None}
    stream = content if hasattr(content, "read") else io.BytesIO(content)
    raw = types.SimpleNamespace(
        version=version, read=lambda size, decode_content: stream.read(size) if decode_content is False else pytest.fail("urllib3 decodes it")
    )
    return types.SimpleNamespace(headers=named, raw=raw, status_code=status, request=types.SimpleNamespace(method=method))


def read(content, largest=1000, **more):
    return read_body(response(content, **{"connection": "close", **more}), largest=largest)


def test_a_body_without_encoding_is_read_up_to_the_limit():
    assert read(Pieces(b"one ", b"two"), content_length="7") == b"one two"
    assert read(b"x" * 40_000, largest=40_000, content_length="40000") == b"x" * 40_000
    for pieces in ((b"x" * 10, b"y"), (b"x", b"y" * 10)):
        with pytest.raises(TooLarge):
            read(Pieces(*pieces), largest=10)


@pytest.mark.parametrize("coding", ["", "identity"])
def test_the_limit_includes_its_last_byte(coding):
    assert read(b"x" * 1000, content_encoding=coding) == b"x" * 1000
    with pytest.raises(TooLarge):
        read(b"x" * 1001, content_encoding=coding)


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), (" GZIP ", gzip.compress)])
def test_compressed_bodies_are_inflated_limited_and_checked(coding, pack):
    assert read(pack(b"x" * 1000), content_encoding=coding) == b"x" * 1000
    with pytest.raises(TooLarge):
        read(pack(b"x" * 1001), content_encoding=coding)
    with pytest.raises(CutOff):
        read(pack(b"x" * 900)[:-3], content_encoding=coding)


def test_all_members_of_a_gzip_body_are_read():
    assert read(gzip.compress(b"one ") + gzip.compress(b"two"), content_encoding="gzip") == b"one two"


@pytest.mark.parametrize(("coding", "content"), [("br", b"x"), ("zstd", b"x"), ("gzip", b"no gzip"), ("gzip", gzip.compress(b"x", mtime=0) + b"rest")])
def test_an_unknown_or_broken_encoding_is_rejected(coding, content):
    with pytest.raises(Damaged):
        read(content, content_encoding=coding)


@pytest.mark.thorough
def test_a_decompression_bomb_is_not_inflated():
    bomb = gzip.compress(b"\0" * (64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            read(bomb, content_encoding="gzip", largest=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def in_two_chunks():
    squeezed = zlib.compressobj()
    yield squeezed.compress(b"\0" * (7 << 17)) + squeezed.flush(zlib.Z_FULL_FLUSH)
    yield squeezed.compress(b"\0" * (8 << 20)) + squeezed.flush()


def in_two_members():
    yield gzip.compress(b"\0" * (7 << 17)) + gzip.compress(b"\0" * (8 << 20))


@pytest.mark.parametrize("pieces", [in_two_chunks, in_two_members])
def test_the_limit_counts_what_earlier_chunks_inflated_to(pieces):
    stream = Pieces(*pieces())
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            read(stream, content_encoding="gzip", largest=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 5 << 19
    finally:
        tracemalloc.stop()


def test_reading_an_endless_body_stops_at_the_limit():
    class Endless:
        served = 0

        def read(self, size):
            self.served += size
            return b"x" * size

    endless = Endless()
    with pytest.raises(TooLarge):
        read(endless, largest=1 << 20)
    assert endless.served < 2 << 20


def test_a_body_shorter_than_its_content_length_is_cut_off():
    with pytest.raises(CutOff):
        read(b"12345", content_length="10")
    assert read(b"12345", content_length="5") == b"12345"
    assert read(b"", content_length="10", method="HEAD") == b""
    assert read(b"12345", content_length="ten") == b"12345"


def test_an_empty_body_with_an_encoding_is_complete():
    assert read(b"", content_encoding="gzip", content_length="0") == b""


@pytest.mark.parametrize(
    ("more", "cut"),
    [
        ({"connection": ""}, True),
        ({"connection": "", "content_length": "0"}, False),
        ({"connection": "", "transfer_encoding": "chunked"}, False),
        ({"connection": "", "transfer_encoding": "gzip, Chunked"}, False),
        ({"connection": "", "transfer_encoding": "gzip"}, True),
        ({"connection": "", "status": 204}, False),
        ({"connection": "", "status": 304}, False),
        ({"connection": "keep-alive"}, True),
        ({"connection": None}, True),
        ({"connection": "Close"}, False),
        ({"connection": "", "version": 10}, False),
        ({}, False),
    ],
)
def test_an_answer_cut_off_in_its_headers_is_noticed(more, cut):
    """An answer that ends in its headers looks like one with an empty body of unannounced length."""
    if not cut:
        assert read(b"", **more) == b""
        return
    with pytest.raises(CutOff):
        read(b"", **more)


def test_reading_stops_when_the_time_is_up():
    def late():
        raise TimeoutError

    with pytest.raises(TimeoutError):
        read_body(response(b"x"), largest=10, in_time=late)


def test_the_time_is_checked_after_each_chunk():
    asked = []
    read_body(response(Pieces(b"a", b"b", b"c"), connection="close"), largest=10, in_time=lambda: asked.append(1))
    assert len(asked) == 3
