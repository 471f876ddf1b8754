# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""C(vault_setup): the wanted things in Vault, and what to do if one exists already. Pure."""

from __future__ import annotations

import enum
import re
import typing as t
from dataclasses import dataclass, field

from .._base.errors import VaultError
from .setup_settings import Settings, overlap

__all__ = (
    "MOUNTS",
    "Data",
    "Do",
    "Thing",
    "check_folders",
    "check_role",
    "decide",
    "found_in",
    "kept",
    "mark",
    "own_policy",
    "policies",
    "policies_of",
    "role",
    "things",
    "written_before",
)

Data = t.Mapping[str, t.Any]
_KV = {"type": "kv", "options": {"version": "2"}}
MOUNTS = "sys/mounts"


@dataclass(frozen=True)
class Thing:
    """A thing in Vault: a mount, a policy or an AppRole.

    :arg path: below C(/v1/). A mount is created with this path, and looked up in C(MOUNTS).
    :arg want: values that its data must have.
    """

    name: str
    path: str
    want: Data
    fixed: bool = False  # cannot be changed once it exists
    says: Data = field(default_factory=dict)  # values of a new mount that mark it as ours
    of_the_mount: bool = False  # changed only if the mount before it was created now or is marked as ours
    text: str = ""  # of a policy, without the mark; a policy with neither of them is not ours


class Do(enum.Enum):
    """What to do for a wanted thing."""

    NOTHING = ""
    MAKE = "created"
    CHANGE = "changed"
    LEAVE = "left as set on the mount"


def mark(settings: Settings) -> str:
    """The mark of created things, for the next run. An AppRole cannot have one: it is recognised by the policy of its name."""
    return f"# Managed by trackops.api_tokens vault_setup, vault_setup_name={settings.name}."


def things(settings: Settings) -> list[Thing]:
    """All things in the order of their creation, except the AppRole."""
    found = [
        Thing(f"KV version 2 at {settings.mount}", f"sys/mounts/{settings.mount}", _KV, fixed=True),
        own_policy(settings),
        Thing(f"the login method approle at {settings.approle}", f"sys/auth/{settings.approle}", {"type": "approle"}, fixed=True),
    ]
    if settings.shared:
        mount = settings.cache_mount
        found += [
            Thing(f"KV version 2 at {mount}", f"sys/mounts/{mount}", _KV, fixed=True, says={"description": mark(settings)}),
            Thing(f"one version of each entry at {mount}", f"{mount}/config", {"max_versions": 1}, of_the_mount=True),
            _policy(settings, "-cache", _cache_policy(settings)),
        ]
    if settings.consent_paths:
        found.append(_policy(settings, "-consent", _consent_policy(settings)))
    return found


def written_before(settings: Settings) -> list[Thing]:
    """The other policies that earlier runs may have written: an AppRole may still have them, even at another mount."""
    return [_policy(settings, suffix, "") for suffix in ("-cache", "-consent")]


def role(settings: Settings, has: t.Sequence[str] = ()) -> Thing:
    """The AppRole. Of its policies *has*, it keeps those that this playbook did not create."""
    want: Data = {
        "bind_secret_id": True,
        "token_ttl": settings.token_ttl,
        "secret_id_ttl": settings.secret_id_ttl,
        "token_policies": sorted(policies(settings, has)),
    }
    return Thing(f"the AppRole {settings.name}", f"auth/{settings.approle}/role/{settings.name}", want)


def policies(settings: Settings, has: t.Sequence[str]) -> set[str]:
    found = {settings.name, *has}
    if settings.consent_paths:
        found.add(f"{settings.name}-consent")
    cache = {f"{settings.name}-cache"}
    return found | cache if settings.shared else found if settings.shared is None else found - cache


def policies_of(found: Data | None) -> list[str]:
    """The policies of an AppRole that was *found*."""
    listed = (found or {}).get("token_policies")
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


def kept(settings: Settings, has: t.Iterable[str]) -> int:
    """How many policies of an AppRole this playbook did not create. Their names are not shown, because the server may send any text."""
    return len({*has} - {settings.name, f"{settings.name}-cache", f"{settings.name}-consent"})


def own_policy(settings: Settings) -> Thing:
    return _policy(settings, "", _read_policy(settings))


def check_role(settings: Settings, found: Data, policy: Data | None, *, place: str) -> None:
    """Check that an AppRole that was *found* was created by this playbook: it has the policy of its name, which this playbook created.

    :arg policy: the policy of its name; None if that does not exist.
    :raises VaultError: it is not, or its role_id alone is enough to log in.
    """
    if settings.take_over:
        return
    if settings.name not in policies_of(found):
        why = f"was not created by this playbook: it does not have the policy {settings.name}"
    elif policy is None:
        why = f"was not created by this playbook: there is no policy {settings.name}"
    elif found.get("bind_secret_id", True) is not True:
        why = "allows a login without a secret_id (bind_secret_id=false)"
    else:
        decide(own_policy(settings), policy, settings, place=place, ours=True)
        return
    raise VaultError(f"{place} has an AppRole {settings.name} at auth/{settings.approle} that {why}. {_GO_ON}", fault="vault:occupied")


def check_folders(settings: Settings, before: t.Mapping[str, str], *, place: str) -> None:
    """Check that no folder is writable as cache for one run and readable as credentials for another.

    :arg before: the existing texts of the policies in :func:`written_before`, by their names.
    :raises VaultError: a writer of the shared cache could write credentials.
    """
    written, consented = (_paths_in(before.get(thing.name, "")) for thing in written_before(settings))
    to_write = _paths_in(_cache_policy(settings)) if settings.shared else set()
    # Judge a policy by its current text, even if this run will replace it: the run may fail first.
    if _meet(written, _paths_in(_read_policy(settings) + _consent_policy(settings)) | consented):
        guilty = f"{settings.name}-cache"
    elif _meet(to_write, consented):
        guilty = f"{settings.name}-consent"
    else:
        return
    raise VaultError(
        f"{place}: anyone with write access to the shared cache could overwrite credentials, because the policy {guilty} of an earlier run "
        "covers a folder that is inside a folder of this run, or contains one. "
        f"Choose other folders or another vault_setup_name, or delete that policy first (vault policy delete {guilty}).",
        fault="vault:occupied",
    )


def found_in(mounts: Data, thing: Thing, *, place: str) -> Data | None:
    """The data of a mount in *mounts*; None if it does not exist. A request for a single mount would also match any path below one.

    :raises VaultError: it would be below another mount, which would get its secrets.
    """
    path = f"{thing.path.removeprefix(f'{MOUNTS}/')}/"
    found = mounts.get(path)
    if found is None and any(path.startswith(mount) for mount in mounts if mount.endswith("/")):
        raise VaultError(f"{place} has another mount above {path[:-1]}, so {thing.name} cannot be created. Choose another mount.", fault="vault:occupied")
    return found if found is None or isinstance(found, dict) else {}


def decide(thing: Thing, found: Data | None, settings: Settings, *, place: str, ours: bool) -> Do:
    """The action needed for *thing*.

    :arg found: its data; None if it does not exist.
    :arg ours: whether this playbook created the mount before it.
    :raises VaultError: something else, or something foreign, exists there.
    """
    if found is not None and all(name in found and found[name] == value for name, value in thing.want.items()):
        return Do.NOTHING
    if found is not None and thing.fixed:
        raise _something_else(thing, found, place)
    if found is not None and thing.text and not _is_ours(thing, f"{found.get('policy') or ''}", settings):
        raise VaultError(f"{place} already has {thing.name}, which this playbook did not create. {_GO_ON}", fault="vault:occupied")
    if thing.of_the_mount and not ours:
        return Do.LEAVE
    return Do.MAKE if found is None else Do.CHANGE


_GO_ON = "It stays as it is. Choose another vault_setup_name, or set vault_setup_take_over=true."


def _is_ours(thing: Thing, text: str, settings: Settings) -> bool:
    return settings.take_over or text.startswith(f"{mark(settings)}\n") or _rules_of(text) == _rules_of(thing.text)


def _rules_of(policy: str) -> list[str]:
    """The rules in the text of a *policy*, in any order: that of the documentation may have been another one."""
    return sorted(re.split(r"\n(?=path )", policy.strip()))


def _something_else(thing: Thing, found: Data, place: str) -> VaultError:
    mount = thing.path.removeprefix("sys/mounts/")
    if thing.want["type"] == "kv" and found.get("type") in ("kv", "generic"):
        what, advice = "KV version 1", f"upgrade it: vault kv enable-versioning {mount}. Do not remove it: its secrets would be lost."
    else:
        what, advice = "something else", "remove it if nobody needs what is in it."
    return VaultError(f"{place} has {what} at {thing.path}, not {thing.name}. Choose another mount, or {advice}", fault="vault:occupied")


def _policy(settings: Settings, suffix: str, text: str) -> Thing:
    name = f"{settings.name}{suffix}"
    return Thing(f"the policy {name}", f"sys/policies/acl/{name}", {"policy": f"{mark(settings)}\n{text}"}, text=text)


def _rule(path: str, *capabilities: str) -> str:
    listed = ", ".join(f'"{capability}"' for capability in capabilities)
    return f'path "{path}" {{\n  capabilities = [{listed}]\n}}\n'


def _paths_in(policy: str) -> set[str]:
    """The paths in the text of a *policy*, without their wildcards."""
    return {path.rstrip("*").rstrip("/") for path in re.findall(r'(?m)^\s*path\s+"([^"\n]*)"', policy)}


def _meet(some: set[str], others: set[str]) -> bool:
    return any(overlap(one, other) for one in some for other in others)


def _read_policy(settings: Settings) -> str:
    return "".join(_rule(f"{settings.mount}/data/{path}", "read") for path in (*settings.vendors, f"{settings.path}/*"))


def _consent_policy(settings: Settings) -> str:
    return "".join(_rule(f"{settings.mount}/data/{path}", "read", "update") for path in settings.consent_paths)


def _cache_policy(settings: Settings) -> str:
    mount, path = settings.cache_mount, settings.cache_path
    entries = _rule(f"{mount}/data/{path}/*", "create", "read", "update")
    return entries + "# For token_cache with state=absent only.\n" + _rule(f"{mount}/metadata/{path}/*", "delete")
