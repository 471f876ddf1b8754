# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The incidents of a story, and how they end. Several can overlap."""

from __future__ import annotations

import typing as t

from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import TokenError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._flow.purge import expired, purge, revoke_logins

from .plan import Incident
from .world import Process

if t.TYPE_CHECKING:
    from .story import Controller, Story

__all__ = ("begin",)

#: Begins an incident and returns the function that ends it.
Begin = t.Callable[["Story", Incident], t.Callable[[], None]]
_SNAPSHOT = 60.0
_LOOKS_EACH = 0.05


def begin(story: Story, incident: Incident) -> t.Callable[[], None]:
    return _BEGIN[incident.kind](story, incident)


def _nothing() -> None:
    """Nothing to do at the end of the incident."""


def _fault(name: str) -> Begin:
    def start(story: Story, incident: Incident) -> t.Callable[[], None]:
        by: t.Any = incident.much or 1
        setattr(story.faults, name, getattr(story.faults, name) + by)

        def end() -> None:
            left = getattr(story.faults, name) - by
            setattr(story.faults, name, left if left > 1e-9 else 0)

        return end

    return start


def _together(*begins: Begin) -> Begin:
    def start(story: Story, incident: Incident) -> t.Callable[[], None]:
        ends = [one(story, incident) for one in begins]

        def end() -> None:
            for one in ends:
                one()

        return end

    return start


def _whom(story: Story, incident: Incident) -> Controller:
    return story.controllers[incident.whom % len(story.controllers)]


def _path(story: Story, incident: Incident) -> str:
    return story.paths[incident.whom % len(story.paths)]


def _password_rotated(story: Story, incident: Incident) -> t.Callable[[], None]:
    """The password changes at the vendor first, and in Vault at the end of the incident."""
    path = _path(story, incident)
    story.vendor.passwords[path] = f"password-{story.world.now:.3f}"
    return lambda: story.store_secret(path)


def _wrong_password(story: Story, incident: Incident) -> t.Callable[[], None]:
    path = _path(story, incident)
    story.store_secret(path, wrong=True)
    return lambda: story.store_secret(path)


def _leases_lost(story: Story, incident: Incident) -> t.Callable[[], None]:
    story.vault.tokens.clear()
    return _nothing


def _vault_restored(story: Story, incident: Incident) -> t.Callable[[], None]:
    """Vault's shared entries return to a snapshot from a minute before, so refresh tokens in them may be used again."""
    before = dict(story.vault.entries)

    def restore() -> None:
        story.world.tell("incident", "Vault is restored")
        story.vault.entries = before
        story.promises.restored()

    story.world.at(story.world.now + _SNAPSHOT, restore)
    return _nothing


def _tokens_revoked(story: Story, incident: Incident) -> t.Callable[[], None]:
    for issued in story.vendor.tokens.values():
        issued.revoked = True
    return _nothing


def _refresh_tokens_dead(story: Story, incident: Incident) -> t.Callable[[], None]:
    story.vendor.dead.update(story.vendor.refresh_tokens)
    story.promises.refresh_tokens_died()
    return _nothing


def _entry_removed(story: Story, incident: Incident) -> t.Callable[[], None]:
    story.vault.entries.clear()
    story.promises.shared_purged()
    return _nothing


def _purging(*, everywhere: bool) -> Begin:
    def start(story: Story, incident: Incident) -> t.Callable[[], None]:
        controller, began = _whom(story, incident), story.world.now

        def work(name: str) -> None:
            store = story.store_of(controller)
            requests = [story.request(controller, path) for path in story.paths]
            for request in requests:
                ports = story.ports(controller, name, f"{name}/{request.secret.path}")
                if everywhere:
                    purge(store, vendor=request.vendor.name, where=request.where, request=request, ports=ports, dry_run=False)
                    revoke_logins(request, store, ports, dry_run=False)
                else:
                    purge(store, vendor=request.vendor.name, where=request.where, request=None, ports=ports, dry_run=False)
            story.promises.purged(controller.name, shared=everywhere, since=began)

        story.promises.purged(controller.name, shared=everywhere)

        def done() -> None:
            story.promises.purged(controller.name, shared=everywhere)

        _command(story, controller, work, done)
        return _nothing

    return start


def _pruned(story: Story, incident: Incident) -> t.Callable[[], None]:
    controller = _whom(story, incident)

    def work(name: str) -> None:
        expired(story.store_of(controller), story.ports(controller, name, "pruned"), dry_run=False)

    _command(story, controller, work, _nothing)
    return _nothing


def _command(story: Story, controller: Controller, work: t.Callable[[str], None], done: t.Callable[[], None]) -> None:
    """Run Ansible without asking for a token."""
    controller.runs += 1
    process = Process(f"{controller.name}-run{controller.runs}")

    def run() -> None:
        try:
            work(process.name)
        except TokenError as exc:
            story.world.tell(process.name, exc.message)
        finally:
            done()
        story.world.forget(process)

    story.world.spawn(process, run)


def _disk_full(story: Story, incident: Incident) -> t.Callable[[], None]:
    disk = _whom(story, incident).disk
    disk.full = True

    def end() -> None:
        disk.full = False

    return end


def _clock_jumps(story: Story, incident: Incident) -> t.Callable[[], None]:
    """The clock is corrected at the end."""
    controller = _whom(story, incident)

    def jump(seconds: float) -> None:
        controller.skew += seconds
        story.promises.clock_jumped(controller.name, seconds)

    jump(incident.much)
    return lambda: jump(-incident.much)


def _stopped(story: Story, incident: Incident) -> t.Callable[[], None]:
    """Stop the first run that holds a lock, so that others wait for it."""
    controller, world = _whom(story, incident), story.world
    stopped: list[Process] = []
    over: list[bool] = []

    def look() -> None:
        if over:
            return
        holders = [process for thread, _pid in controller.disk.held.values() if (process := world.process_of(thread)) is not None and process.alive]
        if holders:
            stopped.append(holders[0])
            world.tell(holders[0].name, "STOPPED")
            world.stop(holders[0])
            story.promises.stopped(holders[0])
        else:
            world.at(world.now + _LOOKS_EACH, look)

    def end() -> None:
        over.append(True)
        for process in stopped:
            world.tell(process.name, "goes on")
            world.resume(process)

    look()
    return end


def _killed(story: Story, incident: Incident) -> t.Callable[[], None]:
    process = _whom(story, incident).latest
    if process is not None and process.alive:
        story.world.kill(process)
    return _nothing


_BEGIN: t.Mapping[str, Begin] = {
    "vendor_away": _fault("vendor_away"),
    "vendor_unavailable": _fault("vendor_unavailable"),
    "vendor_garbled": _fault("vendor_garbled"),
    "rate_limit": _fault("rate_limit"),
    "lost_answers": _together(_fault("vendor_lost"), _fault("vendor_slow")),
    "vault_away": _fault("vault_away"),
    "vault_sealed": _fault("vault_sealed"),
    "vault_fails_over": _together(_fault("vault_lost"), _fault("vault_failed")),
    "vault_restored": _vault_restored,
    "leases_lost": _leases_lost,
    "login_refused": _fault("login_refused"),
    "secret_denied": _fault("secret_denied"),
    "shared_denied": _fault("shared_denied"),
    "password_rotated": _password_rotated,
    "wrong_password": _wrong_password,
    "tokens_revoked": _tokens_revoked,
    "refresh_tokens_dead": _refresh_tokens_dead,
    "purged": _purging(everywhere=False),
    "purged_everywhere": _purging(everywhere=True),
    "pruned": _pruned,
    "entry_removed": _entry_removed,
    "disk_full": _disk_full,
    "clock_jumps": _clock_jumps,
    "stopped": _stopped,
    "killed": _killed,
}
