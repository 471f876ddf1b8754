# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The variables of the roles and playbooks, and how to find misspelt ones. Pure."""

from __future__ import annotations

import typing as t

from .._text.nearest import nearest

__all__ = ("FAMILIES", "misspelt")

_CUTOFF = 0.9  # one letter added, missing or moved: users may have other variables with these prefixes


#: The existing names without their prefix; a test compares them with the roles and the playbooks. The role sets provision_changed.
_NAMES = {
    "provision_": "allow_readable backup changed directory directory_mode format group hosts min_ttl mode owner state tokens",
    "schedule_": (
        "ansible_playbook cron_directory environment environment_file inventory min_ttl minutes name options script_directory start state status_options"
        " systemd_directory timeout type user variables"
    ),
    "status_": "all amber html html_mode json json_mode red textfile",
    "vault_setup_": (
        "approle_mount cache_mount cache_path consent_paths mount name namespace path secret_id_file secret_id_ttl shared_cache take_over token token_ttl url"
    ),
}
FAMILIES: t.Mapping[str, frozenset[str]] = {prefix: frozenset(names.split()) for prefix, names in _NAMES.items()}


def misspelt(asked: t.Sequence[str], unset: t.Collection[str], there: t.Iterable[t.Any]) -> list[tuple[str, str]]:
    """The variables in *there* that nothing uses, each with the name that was probably meant.

    For a role or playbook whose variables are in *asked*, all names are known, so an unknown name is a typo even if the right one is set too.
    For others only *asked* is known, and something else may use a variable: it is reported only if the right one is *unset*.
    """
    prefixes = tuple(prefix for prefix, rests in FAMILIES.items() if any(name.startswith(prefix) and name[len(prefix) :] in rests for name in asked))
    known = {prefix + rest for prefix in prefixes for rest in FAMILIES[prefix]}
    others = {name for name in unset if _prefix(name)} - known
    starts = tuple(map(_prefix, (*prefixes, *others)))
    found = []
    for name in there:
        if isinstance(name, str) and name.startswith(starts) and name not in known and name not in asked:
            right = sorted(one for one in known | others if _prefix(one) == _prefix(name))
            if near := nearest(name, right, cutoff=_CUTOFF):
                found.append((name, near))
    return found


def _prefix(name: str) -> str:
    prefix, underscore, _rest = name.partition("_")
    return prefix + underscore if prefix and underscore else ""
