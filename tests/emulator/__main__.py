# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m emulator --port 0 --state-file F --log F`: serve until SIGTERM or SIGINT, and print the state as one line of JSON."""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
from pathlib import Path

from .server import Emulator, TlsFiles


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="emulator", description="Local emulator of the vendors' token endpoints and APIs.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state-file", type=Path, help="written when ready: JSON with pid, url, control, vendors")
    parser.add_argument("--log", type=Path, help="request log, JSON lines, without secrets")
    parser.add_argument("--credentials", type=Path, help="JSON file that replaces credentials by name")
    parser.add_argument("--record-raw", action="store_true", help="keep headers, query and body in the log: SECRETS")
    parser.add_argument("--tls-cert", help="PEM")
    parser.add_argument("--tls-key", help="PEM")
    parser.add_argument("--client-ca", help="PEM; demand a client certificate")
    found = parser.parse_args()
    if bool(found.tls_cert) != bool(found.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    return found


def main() -> None:
    args = arguments()
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    tls = TlsFiles(args.tls_cert, args.tls_key, args.client_ca) if args.tls_cert else None
    emulator = Emulator(tls, host=args.host, port=args.port, record_raw=args.record_raw, log=args.log)
    if args.credentials:
        for name, value in json.loads(args.credentials.read_text(encoding="utf-8")).items():
            emulator.set_credentials(name, value)
    with emulator:
        state = json.dumps(emulator.state())
        if args.state_file:
            partial = args.state_file.with_name(f"{args.state_file.name}.{os.getpid()}")
            partial.write_text(state, encoding="utf-8")
            partial.replace(args.state_file)  # readers never see a partial file
        print(state, flush=True)
        ending.wait()


if __name__ == "__main__":
    main()
