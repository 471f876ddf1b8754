# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults of the controller: its clock, its installed modules, its environment, its ansible.cfg."""

from __future__ import annotations

import pathlib
import typing as t

from support.processes import closed_port

from .place import Fault, Place

_SITE = str(pathlib.Path(__file__).resolve().parent / "site")
_YEAR = 365 * 86400


def clocks() -> t.Iterator[Fault]:
    """With a token in the cache, the clock jumps and then jumps back. No caller gets an expired token or waits for one."""
    for name, seconds in {
        "two hours ahead": 7200,
        "two hours behind": -7200,
        "two days ahead": 2 * 86400,
        "ten years ahead": 10 * _YEAR,
        "ten years behind": -10 * _YEAR,
    }.items():
        for vendor in ("trackunit", "tracx"):
            yield Fault(
                f"clock: {name}, {vendor}",
                "clock",
                vendor=vendor,
                warm=True,
                env={"PYTHONPATH": _SITE, "FAULTS_CLOCK": str(seconds)},
                # The Date of the response corrects an absolute expiry, unless it is implausibly far off.
                warns="days" if vendor == "tracx" and abs(seconds) > 86400 else "",
                small=(name, vendor) == ("two hours behind", "trackunit"),
            )


def controllers(place: Place) -> t.Iterator[Fault]:
    nobody = f"http://127.0.0.1:{closed_port()}"
    scratch = place.scratch
    netrc = scratch / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password of-somebody-else\n", encoding="utf-8")
    netrc.chmod(0o600)
    (scratch / "valt.cfg").write_text("[trackops_api_tokens]\ncache = valt\n", encoding="utf-8")
    (scratch / "words.cfg").write_text("[trackops_api_tokens]\nmin_ttl = soon\n", encoding="utf-8")
    rows: dict[str, tuple[dict[str, str | None], str | tuple[str, ...], dict[str, t.Any]]] = {
        "hvac is not installed": ({"PYTHONPATH": _SITE, "FAULTS_WITHOUT": "hvac"}, ("hvac", "pip install"), {"reads": 0}),
        "requests is not installed": ({"PYTHONPATH": _SITE, "FAULTS_WITHOUT": "requests"}, ("requests", "pip install"), {"reads": 0}),
        # All servers are on this machine, for which proxies from the environment are not used.
        "a dead proxy in the environment": ({"http_proxy": nobody, "HTTP_PROXY": nobody, "no_proxy": ""}, "", {"asks": 1}),
        "TRACKOPS_CACHE=valt": ({"TRACKOPS_CACHE": "valt"}, ("TRACKOPS_CACHE", "Use one of: file, vault, none."), {"reads": 0, "names_path": False}),
        "TRACKOPS_MIN_TTL=soon": ({"TRACKOPS_MIN_TTL": "soon"}, "TRACKOPS_MIN_TTL", {"reads": 0, "names_path": False}),
        "TRACKOPS_HTTP_RETRIES=-1 is overridden by the option": ({"TRACKOPS_HTTP_RETRIES": "-1"}, "", {"asks": 1}),
        "cache = valt in ansible.cfg": (
            {"ANSIBLE_CONFIG": str(scratch / "valt.cfg")},
            ("valt.cfg", "Use one of: file, vault, none."),
            {"reads": 0, "names_path": False},
        ),
        "min_ttl = soon in ansible.cfg": ({"ANSIBLE_CONFIG": str(scratch / "words.cfg")}, ("min_ttl", "words.cfg"), {"reads": 0, "names_path": False}),
        "VAULT_ADDR without a scheme": (
            {"VAULT_ADDR": "vault.example.com"},
            ("url must be the address of Vault", "VAULT_ADDR"),
            {"reads": 0, "names_path": False},
        ),
        "no VAULT_ADDR": ({"VAULT_ADDR": None}, "no address of Vault is known. Set url", {"reads": 0, "names_path": False}),
        "no VAULT_TOKEN": ({"VAULT_TOKEN": None}, "VAULT_TOKEN", {"reads": 0, "names_path": False}),
        "a line break in VAULT_TOKEN": ({"VAULT_TOKEN": "hvs.line\nbreak-in-this-token"}, "has characters that cannot be sent", {"reads": 0}),
        "umask 000 (files writable by everybody)": ({"PYTHONPATH": _SITE, "FAULTS_UMASK": "000"}, "", {}),
        "a .netrc for the vendor's host": ({"NETRC": str(netrc)}, "", {}),
        "an unwritable audit log": ({"TRACKOPS_AUDIT_LOG": "/proc/none/audit"}, "", {"warns": "The audit log /proc/none/audit cannot be written"}),
        "a missing REQUESTS_CA_BUNDLE": ({"REQUESTS_CA_BUNDLE": str(scratch / "missing.pem")}, "", {}),
        "a setting for all vendors": ({"TRACKOPS_BASE_URL": "http://elsewhere.example.com"}, "", {"warns": "TRACKOPS_BASE_URL"}),
    }
    for name, (env, says, more) in rows.items():
        given = {"asks": 0 if says else 1, **({"asks_after": 0} if not says else {}), **more}
        yield Fault(
            f"controller: {name}",
            "controller",
            says,
            env=env,
            small=name in ("TRACKOPS_CACHE=valt", "hvac is not installed", "a .netrc for the vendor's host"),
            **given,
        )
