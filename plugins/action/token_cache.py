# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(token_cache): warm, purge or prune the cache."""

from __future__ import annotations

import typing as t

from ..plugin_utils._base.errors import OptionError, TokenError
from ..plugin_utils._base.output import iso_time
from ..plugin_utils._boundary.action import TokenAction, display, failed_action, flag
from ..plugin_utils._boundary.options import cache_options, check_vendor
from ..plugin_utils._flow.purge import expired, is_cached, purge, revoke_logins
from ..plugin_utils._flow.resolver import open_store
from ..plugin_utils._flow.revocation import revoke_tokens
from ..plugin_utils._flow.slot import token_keys
from ..plugin_utils._tasks import cache_items
from ..plugin_utils._tasks.cache_items import OWN, without_names
from ..plugin_utils._text.one_line import one_line

_STATES = ("present", "absent", "pruned")
# Logins are shared by all vendors; use one that needs no further options.
_ANY_VENDOR = "tracx"

Facts = dict[str, t.Any]


class ActionModule(TokenAction):
    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> Facts:
        result: Facts = super().run(tmp, task_vars)
        variables, args = task_vars or {}, dict(self._task.args)
        state = args.pop("state", "present")
        if state not in _STATES:
            raise failed_action(OptionError(f"state '{one_line(str(state), limit=40)}' is not known here. Use one of: {', '.join(_STATES)}."))
        try:
            items = args.get("tokens")
            inner = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
            self.refuse_wrong_options([args], OWN, module="token_cache", of=inner)
            result.update({"present": self._warm, "absent": self._purge, "pruned": self._prune}[state](args, variables))
        except TokenError as exc:
            raise failed_action(exc) from None
        return result

    def _warm(self, args: Facts, variables: Facts) -> Facts:
        items = cache_items.items(args)
        if not items:
            raise OptionError("token_cache needs 'vendor' or 'tokens' to know what to warm.", fault="option:missing")
        if self._task.check_mode:
            return self._would_warm(items, variables)
        resolved = self.resolve_many(items, variables)
        tokens = [
            {
                "vendor": r.vendor,
                "path": r.path,
                "fingerprint": r.token.fingerprint,
                "source": r.token.source,
                "expires_at": int(r.token.expires_at),
                "expires_at_iso": iso_time(r.token.expires_at),
                "expires_in": max(0, int(r.token.expires_at - r.now)),
            }
            for r in resolved
            if r.token
        ]
        failures = [{"vendor": r.vendor, "path": r.path, "error": r.error, "error_code": r.error_code} for r in resolved if r.error]
        facts: Facts = {"changed": any(token["source"] == "vendor" for token in tokens), "tokens": tokens}
        if failures:
            errors = [failure["error"] for failure in failures]
            facts.update(failed=True, msg=" ".join(errors), errors=errors, failures=failures, error_code=failures[0]["error_code"])
        return facts

    def _would_warm(self, items: list[Facts], variables: Facts) -> Facts:
        """Check mode sends nothing: the cache shows which tokens would be fetched."""
        missing = []
        for item in items:
            request, values = self.request_of(item, variables)
            store = open_store(request.cache, warn=display.warning)
            if not is_cached(store, request, now=self.ports(values).clock()):
                missing.append({"vendor": request.vendor.name, "path": request.secret.path})
        return {"changed": bool(missing), "missing": missing}

    def _purge(self, args: Facts, variables: Facts) -> Facts:
        wanted = cache_items.items(args) or [{name: value for name, value in args.items() if name not in OWN}]
        for item in wanted:  # before anything is removed
            self._refuse_unknown(item, variables)
        removed: list[Facts] = []
        revoked: list[str] = []
        not_revoked: list[str] = []
        kept: list[Facts] = []
        for item in wanted:
            values = self.option_values("oauth2", without_names(item), variables)
            store = open_store(cache_options(values), warn=display.warning)
            check = bool(self._task.check_mode)
            ports = self.ports(values)
            request = self._request_or_none(item, variables)
            stays: set[str] = set()
            if request is not None:
                consent = flag(args, "revoke_consent", False)
                given_back = revoke_tokens(request, store, ports, revoke_consent=consent, dry_run=check)
                revoked += given_back.revoked
                not_revoked += given_back.not_revoked
                if given_back.failed:
                    stays.add(token_keys(request, store.user_key()).name)
                    kept.append({"vendor": request.vendor.name, "path": request.where})
            found = purge(store, vendor=item.get("vendor"), where=cache_items.where(item, values), request=request, ports=ports, dry_run=check, keep=stays)
            removed += [entry for entry in found if entry not in removed]
            if not found and not stays:
                cache_items.warn_nothing_found(item, values, warn=display.warning)
            if not stays and flag(args, "revoke_logins", True):
                login = request or self._request_or_none({**item, "vendor": _ANY_VENDOR}, variables)
                revoked += revoke_logins(login, store, ports, dry_run=check) if login else []
        given = {"revoked": list(dict.fromkeys(revoked)), "not_revoked": list(dict.fromkeys(not_revoked))}
        return {"changed": bool(removed or revoked), **cache_items.removed(removed), **given, "kept": kept}

    def _refuse_unknown(self, item: Facts, variables: Facts) -> None:
        """Reject a typo in a vendor's name, which would look like a purge. A vendor without a description may still have entries."""
        vendor = item.get("vendor")
        if not vendor:
            return
        values = self.option_values("oauth2", without_names(item), variables)
        store = open_store(cache_options(values), warn=display.warning)
        if all(header.get("vendor") != vendor for _name, header in store.headers()):
            check_vendor(str(vendor), self.option_values("oauth2", item, variables))

    def _request_or_none(self, item: Facts, variables: Facts) -> t.Any:
        """The request for *item*; None if the options are not complete: purging must also work without Vault."""
        if not item.get("vendor"):
            return None
        try:
            return self.request_of(item, variables)[0]
        except TokenError:
            return None

    def _prune(self, args: Facts, variables: Facts) -> Facts:
        values = self.option_values("oauth2", without_names(args), variables)
        store = open_store(cache_options(values), warn=display.warning)
        removed = expired(store, self.ports(values), dry_run=bool(self._task.check_mode))
        return {"changed": bool(removed), **cache_items.removed(removed)}
