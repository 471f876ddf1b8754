# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One caller that repeatedly asks for its tokens in a long-lived process: `python -m load.worker`, with its job as JSON on standard input.

Prints, as JSON, the tokens that it got and when, its errors, and its memory and cache files over time.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import sys
import time
import typing as t

_PAUSE = 0.1
_LEAST_ROUNDS = 20


def main() -> None:
    # Which process renews is random, so load what a renewal needs before memory is measured.
    import hvac  # noqa: F401
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import TokenError
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.options import Surroundings, request_from
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.real_ports import real_ports
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow import fetch, shared_fetch, shared_store, vault_login  # noqa: F401
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.resolver import Resolver
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor import transport  # noqa: F401

    job = json.load(sys.stdin)
    warnings: set[str] = set()
    around = Surroundings(os.environ, os.environ["HOME"], lambda path: pathlib.Path(path).read_text(encoding="utf-8"))
    ports = real_ports(warn=warnings.add, run=f"load-{os.getpid()}")
    wanted = [request_from(vendor, path, values, surroundings=around) for vendor, path, values in job["tokens"]]
    given: dict[str, dict[str, t.Any]] = {}
    errors: list[str] = []
    asked = expired = 0
    rss: list[int] = []
    files: list[int] = []
    begun = time.time()
    # On a busy machine, rounds can be slow, so require a minimum number of them.
    while time.time() - begun < job["seconds"] or len(rss) < _LEAST_ROUNDS:
        for request in wanted:
            asked += 1
            # Compare with this time: a valid token may expire while this process waits for a processor.
            now = time.time()
            try:
                # As in a real run, which has a new resolver for each task.
                token = Resolver(ports).token(request)
            except TokenError as exc:
                errors.append(exc.message)
                continue
            expired += token.expires_at <= now
            digest = hashlib.sha256(token.access_token.encode()).hexdigest()
            known = given.setdefault(digest, {"of": f"{request.vendor.name} {request.secret.path}", "issued_at": token.issued_at, "last": now})
            known["last"] = now
        rss.append(_rss())
        files.append(len(os.listdir(job["cache"])))
        time.sleep(_PAUSE)
    print(json.dumps({"asked": asked, "expired": expired, "errors": errors, "warnings": sorted(warnings), "given": given, "rss": rss, "files": files}))


def _rss() -> int:
    """The memory of this process in KiB."""
    lines = pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
