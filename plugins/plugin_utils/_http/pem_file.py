# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""A key file for libraries that read keys only from files."""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t

__all__ = ("pem_file",)


@contextlib.contextmanager
def pem_file(pem: str) -> t.Iterator[str]:
    """The path of a temporary file with *pem* that only this process can read.

    The file is in memory. If the system does not support that, it is on disk with mode 0600, and removed afterwards.
    """
    if not hasattr(os, "memfd_create") or not os.path.isdir("/proc/self/fd"):
        with tempfile.NamedTemporaryFile(prefix="trackops-", suffix=".pem") as file:
            file.write(pem.encode("utf-8"))
            file.flush()
            yield file.name
        return
    descriptor = os.memfd_create("trackops-key", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as memory:
            memory.write(pem.encode("utf-8"))
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
