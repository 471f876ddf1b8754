# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""C(vault_setup): check the things in Vault one after the other, and create or change them. Vault and the clock are passed in."""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass, replace

from .._base.errors import TokenError, VaultError
from .._base.model import ENGINE_MOUNT
from .._vault.answer import Refusal
from .setup_answers import for_operator, is_from_vault, is_not_there, may_pass, not_from_vault, refused
from .setup_settings import Settings
from .setup_things import MOUNTS, Data, Do, Thing, check_folders, check_role, decide, found_in, kept, own_policy, policies_of, role, things, written_before

__all__ = ("Report", "Setup", "Vault", "noted")

_UUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_SECRET_ID = re.compile(r"[A-Za-z0-9._-]{8,200}\Z")
_ATTEMPTS, _PAUSE = 6, 1.0  # a new KV mount refuses requests until it is ready


class Vault(t.Protocol):
    def ask(self, method: str, path: str, body: Data | None = None) -> dict[str, t.Any]:
        """:raises Refusal: the response has an error status, or is not from Vault."""


@dataclass(frozen=True)
class Report:
    """What a run did, or would do, before the *error*, if there is one: what was created until then stays.

    :arg done: for people, in order.
    :arg has: the policies that the AppRole had.
    """

    changed: bool = False
    done: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    error: TokenError | None = None


def noted(report: Report, do: Do, name: str, *, dry_run: bool) -> Report:
    """*report*, followed by what was done, or would be, with the thing *name*."""
    if do is Do.NOTHING:
        return report
    line = f"{'would be ' if dry_run and do is not Do.LEAVE else ''}{do.value}: {name}"
    return replace(report, changed=report.changed or do is not Do.LEAVE, done=(*report.done, line))


class Setup:
    """What the playbook asks Vault. Nothing is kept from one call to the next.

    :arg place: the name of this Vault in messages.
    :arg dry_run: change nothing.
    """

    def __init__(self, settings: Settings, vault: Vault, *, place: str, dry_run: bool, sleep: t.Callable[[float], None]) -> None:
        self._settings = settings
        self._vault = vault
        self._place = place
        self._dry_run = dry_run
        self._sleep = sleep

    def run(self) -> Report:
        """Set up everything except a secret_id."""
        settings, report = self._settings, Report()
        try:
            there = self._read(role(settings))
            # An error here must not look like a role without policies: the role would lose its other policies.
            if there is not None:
                named = settings.name in policies_of(there)
                check_role(settings, there, self._read(own_policy(settings)) if named else None, place=self._place)
            report = Report(has=tuple(policies_of(there)))
            self._check_folders()
            new = ours = False
            for thing in things(settings):
                found = None if thing.of_the_mount and new else self._read(thing)
                if thing.says:
                    new = found is None
                    ours = found is None or all(found.get(name) == value for name, value in thing.says.items())
                report = self._set_up(report, thing, found, ours=ours)
            return self._set_up(report, role(settings, report.has), there, ours=True)
        except TokenError as exc:
            return replace(report, error=exc)

    def secret_id(self) -> str:
        """A new secret_id for the AppRole."""
        settings = self._settings
        name = f"a secret_id of the AppRole {settings.name}"
        data = self._write(name, f"{role(settings).path}/secret-id", {}).get("data")
        found = data.get("secret_id") if isinstance(data, dict) else None
        if not isinstance(found, str) or not _SECRET_ID.match(found):
            raise self._refused(not_from_vault(), name, "answered with")
        return found

    def to_set(self, has: t.Iterable[str], *, expanded: t.Callable[[str], str]) -> list[str]:
        """Shell commands for the users who run playbooks.

        :arg has: the policies that the AppRole had.
        :arg expanded: expands C(~) in a path.
        """
        settings = self._settings
        path = role(settings).path
        found = self._read(Thing(f"the role_id of the AppRole {settings.name}", f"{path}/role-id", {}))
        # Use the answer only if it has the form of Vault's role_ids.
        given = f"{(found or {}).get('role_id') or ''}"
        role_id = given if _UUID.match(given) and given.lower() != settings.token.lower() else f"$(vault read -field=role_id {path}/role-id)"
        file = settings.secret_id_file
        secret_id = f"cat {shlex.quote(expanded(file))}" if file else f"vault write -f -field=secret_id {path}/secret-id"
        lines = {
            "export ANSIBLE_HASHI_VAULT_AUTH_METHOD=approle": True,
            f"export ANSIBLE_HASHI_VAULT_MOUNT_POINT={settings.approle}": settings.approle != "approle",
            f"export ANSIBLE_HASHI_VAULT_ROLE_ID={role_id}" if found is not None else "the role_id is not yet known": True,
            f"export ANSIBLE_HASHI_VAULT_SECRET_ID=$({secret_id})": True,
            f"export TRACKOPS_ENGINE_MOUNT_POINT={settings.mount}": settings.mount != ENGINE_MOUNT,
            "export TRACKOPS_CACHE=vault": settings.shared,
            f"export TRACKOPS_CACHE_VAULT_MOUNT={settings.cache_mount}": settings.shared,
            f"export TRACKOPS_CACHE_VAULT_PATH={shlex.quote(settings.cache_path)}": settings.shared and settings.cache_is_elsewhere,
        }
        others = kept(settings, has)
        which = f"{others} policies" if others > 1 else "1 policy"
        rest = [f"kept: {which} of the AppRole, not created by this playbook; see vault read {path}"] if others else []
        return [line for line, wanted in lines.items() if wanted] + rest

    def _check_folders(self) -> None:
        found = {thing.name: self._read(thing) for thing in written_before(self._settings)}
        before = {name: f"{data.get('policy') or ''}" for name, data in found.items() if data is not None}
        check_folders(self._settings, before, place=self._place)

    def _set_up(self, report: Report, thing: Thing, found: Data | None, *, ours: bool) -> Report:
        do = decide(thing, found, self._settings, place=self._place, ours=ours)
        if do in (Do.MAKE, Do.CHANGE) and not self._dry_run:
            self._write(thing.name, thing.path, {**thing.want, **thing.says})
        return noted(report, do, thing.name, dry_run=self._dry_run)

    def _read(self, thing: Thing) -> Data | None:
        """The data of *thing*; None if it does not exist."""
        is_mount = thing.path.startswith(f"{MOUNTS}/")
        try:
            answer = self._answer(thing.name, "GET", MOUNTS if is_mount else thing.path)
        except Refusal as refusal:
            if is_not_there(refusal):
                return None
            raise self._refused(refusal, thing.name, "answered with") from None
        data = answer.get("data")
        if not isinstance(data, dict):
            raise self._refused(not_from_vault(), thing.name, "answered with")
        return found_in(data, thing, place=self._place) if is_mount else data

    def _write(self, name: str, path: str, body: Data) -> dict[str, t.Any]:
        attempts_left = _ATTEMPTS
        while True:
            attempts_left -= 1
            try:
                return self._answer(name, "POST", path, body)
            except Refusal as refusal:
                if not attempts_left or not may_pass(refusal):
                    raise self._refused(refusal, name, "refused it with") from None
            self._sleep(_PAUSE)

    def _answer(self, name: str, method: str, path: str, body: Data | None = None) -> dict[str, t.Any]:
        try:
            answer = self._vault.ask(method, path, body)
        except TokenError as exc:
            raise exc.reworded(f"{name}: {for_operator(exc.message)}") from None
        if not is_from_vault(answer):
            raise not_from_vault()
        return answer

    def _refused(self, refusal: Refusal, name: str, verb: str) -> VaultError:
        return refused(refusal, name, place=self._place, verb=verb)
