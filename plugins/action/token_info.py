# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(token_info): what is known of a token, without the token."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean

from ..plugin_utils import jwt
from ..plugin_utils.action_base import TokenAction
from ..plugin_utils.errors import TokenError
from ..plugin_utils.model import Request, Token
from ..plugin_utils.resolver import Resolver
from ..plugin_utils.ports import Ports
from ..plugin_utils.action_base import display

_READER = "trackops.api_tokens.token_file_read"
_OWN = ("vendor", "path", "file", "claims", "fetch")


class ActionModule(TokenAction):
    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        args, variables = self._task.args, task_vars or {}
        if args.get("vendor"):
            result.update(self._of_token(args, variables))
        elif not args.get("file"):
            raise AnsibleActionFail("token_info needs 'vendor', or 'file' for a file on the host, or both.")
        if args.get("file") and not result.get("failed"):
            result.update(self._of_file(args, variables, result.get("fingerprint")))
        result["changed"] = False
        return result

    def _of_token(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        with_claims = boolean(args.get("claims") or False)
        try:
            request, values = self.request_of(args, variables)
            token = self._token(request, values, fetch=boolean(args.get("fetch", True)))
        except TokenError as exc:
            return {"failed": True, "msg": exc.message, "vendor": args.get("vendor"), "path": args.get("path"), "valid": False}
        return _facts(request, token, with_claims=with_claims)

    def _token(self, request: Request, values: dict[str, t.Any], *, fetch: bool) -> Token | None:
        with self.listener(values) as listener:
            resolver = Resolver(Ports(warn=display.warning, event=listener))
            return resolver.token(request) if fetch else resolver.known(request).token

    def _of_file(self, args: dict[str, t.Any], variables: dict[str, t.Any], expected: str | None) -> dict[str, t.Any]:
        read: dict[str, t.Any] = self._execute_module(
            module_name=_READER, module_args={"path": args["file"]}, task_vars=variables
        )
        if read.get("failed"):
            return {"failed": True, "msg": read.get("msg") or "The file could not be read on the host.", "valid": False}
        file = {name: read.get(name) for name in ("path", "exists", "fingerprint", "expires_at", "mode", "owner", "group")}
        now = time.time()
        expires_at = file["expires_at"]
        file["expires_in"] = max(0, int(expires_at - now)) if expires_at else None
        file["valid"] = bool(file["exists"] and file["fingerprint"] and (expires_at is None or expires_at > now))
        file["current"] = (file["fingerprint"] == expected) if expected else None
        return {"file": file} if args.get("vendor") else {"file": file, "valid": file["valid"]}


def _facts(request: Request, token: Token | None, *, with_claims: bool) -> dict[str, t.Any]:
    facts: dict[str, t.Any] = {
        "vendor": request.vendor.name, "path": request.secret.path, "valid": False, "expires_at": None, "expires_in": None,
        "issued_at": None, "scope": None, "source": None, "token_type": None, "fingerprint": None,
    }
    if token is None:
        return facts
    now = time.time()
    facts.update(
        valid=token.expires_at > now, expires_at=int(token.expires_at), expires_in=max(0, int(token.expires_at - now)),
        issued_at=int(token.issued_at), scope=token.scope, source=token.source, token_type=token.token_type,
        fingerprint=token.fingerprint,
    )
    if with_claims:
        try:
            facts["claims"] = jwt.claims(token.access_token)
        except ValueError:
            facts["claims"] = None  # an opaque token has none
    if request.cache.kind == "vault":
        from ..plugin_utils.shared_cache import shared_path

        facts["cache_vault_entry"] = f"{request.cache.vault_mount}/{shared_path(request)}"
    return facts
