# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The certificates that Vault's is checked against: settings that the vault command takes from the environment."""

from __future__ import annotations

import os
import re
import typing as t

if t.TYPE_CHECKING:
    from .options import VaultOptions

__all__ = ("tls_of",)

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def tls_of(options: VaultOptions) -> dict[str, t.Any]:
    """More arguments for urllib3's pools than requests passes: settings that the vault command takes from the environment."""
    found: dict[str, t.Any] = {}
    if not options.url.startswith("https:"):
        return found
    if options.tls_server_name:
        found["server_hostname"] = options.tls_server_name
    if options.validate_certs and not options.ca_cert and (options.ca_cert_text or options.ca_path):
        from urllib3.util.ssl_ import create_urllib3_context

        context = create_urllib3_context()
        for text in [options.ca_cert_text] if options.ca_cert_text else _texts_in(options.ca_path or ""):
            context.load_verify_locations(cadata=_certificates_in(text))
        found["ssl_context"] = context
    return found


def _certificates_in(text: str) -> str:
    """The certificates in *text*, without remarks: bundles have these in any language, but Python accepts only ASCII.

    :raises ValueError: there is no certificate.
    """
    found = "\n".join(_CERTIFICATE.findall(text))
    if not found.isascii() or not found:
        raise ValueError
    return found


def _texts_in(folder: str) -> t.Iterator[str]:
    """The texts of all files, whatever their names, as the vault command reads them; OpenSSL would require hashes as names."""
    for path, _folders, names in os.walk(folder):
        for name in sorted(names):
            with open(os.path.join(path, name), encoding="ascii", errors="replace") as file:
                yield file.read()
