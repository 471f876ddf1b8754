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
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.http_body import CutOff, Damaged, TooLarge, read_body


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


def test_as_it_comes():
    assert read(Pieces(b"one ", b"two"), content_length="7") == b"one two"
    assert read(b"x" * 40_000, largest=40_000, content_length="40000") == b"x" * 40_000
    for pieces in ((b"x" * 10, b"y"), (b"x", b"y" * 10)):
        with pytest.raises(TooLarge):
            read(Pieces(*pieces), largest=10)


@pytest.mark.parametrize("coding", ["", "identity"])
def test_plain(coding):
    assert read(b"x" * 1000, content_encoding=coding) == b"x" * 1000
    with pytest.raises(TooLarge):
        read(b"x" * 1001, content_encoding=coding)


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), (" GZIP ", gzip.compress)])
def test_compressed(coding, pack):
    assert read(pack(b"x" * 1000), content_encoding=coding) == b"x" * 1000
    with pytest.raises(TooLarge):
        read(pack(b"x" * 1001), content_encoding=coding)
    with pytest.raises(CutOff):
        read(pack(b"x" * 900)[:-3], content_encoding=coding)


def test_gzip_of_several_members():
    assert read(gzip.compress(b"one ") + gzip.compress(b"two"), content_encoding="gzip") == b"one two"


@pytest.mark.parametrize(("coding", "content"), [("br", b"x"), ("zstd", b"x"), ("gzip", b"no gzip"), ("gzip", gzip.compress(b"x", mtime=0) + b"rest")])
def test_an_encoding_that_cannot_be_read(coding, content):
    with pytest.raises(Damaged):
        read(content, content_encoding=coding)


@pytest.mark.thorough
def test_a_bomb_is_not_inflated():
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
def test_what_was_inflated_before_counts(pieces):
    stream = Pieces(*pieces())
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            read(stream, content_encoding="gzip", largest=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 5 << 19
    finally:
        tracemalloc.stop()


def test_an_endless_answer_is_not_kept():
    class Endless:
        served = 0

        def read(self, size):
            self.served += size
            return b"x" * size

    endless = Endless()
    with pytest.raises(TooLarge):
        read(endless, largest=1 << 20)
    assert endless.served < 2 << 20


def test_shorter_than_it_said():
    with pytest.raises(CutOff):
        read(b"12345", content_length="10")
    assert read(b"12345", content_length="5") == b"12345"
    assert read(b"", content_length="10", method="HEAD") == b""
    assert read(b"12345", content_length="ten") == b"12345"


def test_nothing_is_whole_whatever_its_encoding():
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
def test_cut_in_the_headers(more, cut):
    """An answer that ends in its headers looks like one with an empty body of unannounced length."""
    if not cut:
        assert read(b"", **more) == b""
        return
    with pytest.raises(CutOff):
        read(b"", **more)


def test_the_reader_can_be_out_of_time():
    def late():
        raise TimeoutError

    with pytest.raises(TimeoutError):
        read_body(response(b"x"), largest=10, in_time=late)


def test_it_is_asked_after_each_chunk():
    asked = []
    read_body(response(Pieces(b"a", b"b", b"c"), connection="close"), largest=10, in_time=lambda: asked.append(1))
    assert len(asked) == 3
