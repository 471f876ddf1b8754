# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One caller that asks for its tokens again and again, in a process that goes on: `python -m load.worker`, its job as JSON on standard input.

It tells, as JSON, which tokens it was given, when, and what it needed of the machine meanwhile.
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
    # Whose turn it is to renew is by chance: what is needed for that is loaded before memory is looked at.
    import hvac  # noqa: F401
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import TokenError
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.options import Surroundings, request_from
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._boundary.real_ports import real_ports
    from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow import fetch, shared_fetch, shared_store, vault_session  # noqa: F401
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
    # On a busy machine a round takes as long as it takes.
    while time.time() - begun < job["seconds"] or len(rss) < _LEAST_ROUNDS:
        for request in wanted:
            asked += 1
            # What is still good then is given, and may end while this process waits for its turn on the processor.
            now = time.time()
            try:
                # A process of a run that goes on has a resolver for each task.
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
