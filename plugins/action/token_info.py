# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(token_info): what is known of a token, without the token."""

from __future__ import annotations

import re
import time
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ..plugin_utils._base import jwt
from ..plugin_utils._base.errors import OptionError, TokenError
from ..plugin_utils._base.model import Request, Token
from ..plugin_utils._base.output import iso_time, token_type
from ..plugin_utils._boundary.action import TokenAction, asked_path, failed_action, found_interpreter
from ..plugin_utils._boundary.real_ports import real_ports
from ..plugin_utils._flow.resolver import Resolver
from ..plugin_utils._hosts.answers import FAILURE, READ, file_results, reduced
from ..plugin_utils._hosts.files import FILE_OPTIONS, default_dest, split_items

_READER = "trackops.api_tokens.__private.token_file_read"
_OF_FILE = ("path", "exists", "fingerprint", "expires_at", "mode", "owner", "group", "error", "error_code")
_OTHERS = 0o007
_MODE = re.compile(r"[0-7]{3,4}\Z")
_OWN = ("file", "claims", "fetch", "tokens", "directory", "explain")


class ActionModule(TokenAction):
    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        args, variables = self._task.args, task_vars or {}
        try:
            self._refuse_unknown_options(args)
        except OptionError as exc:
            raise failed_action(exc) from None
        if args.get("tokens") is not None:
            result.update(self._of_files(args, variables))
        elif args.get("vendor"):
            result.update(self._of_token(args, variables))
        elif not args.get("file"):
            raise failed_action(OptionError("token_info needs 'vendor', or 'file' or 'tokens' for files on the host.", fault="option:missing"))
        if args.get("file") and not result.get("failed"):
            result.update(self._of_file(args, variables, result.get("fingerprint")))
        result.update(found_interpreter(self), changed=False)
        return result

    def _refuse_unknown_options(self, args: dict[str, t.Any]) -> None:
        items = args.get("tokens")
        if isinstance(items, list):
            # They are what token_file has: its own options are of no use here, and of no harm.
            own = {name: value for name, value in args.items() if name != "tokens"}
            self.refuse_unknown_options([own, *(item for item in items if isinstance(item, dict))], (*_OWN, *FILE_OPTIONS), module="token_info")
        else:
            self.refuse_unknown_options([args], _OWN, module="token_info")

    def _of_token(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        with_claims, explain = boolean(args.get("claims") or False), boolean(args.get("explain") or False)
        explained: dict[str, t.Any] = {}
        try:
            explained = {"options": self.explain(args, variables)} if explain else {}
            request, values = self.request_of(args, variables)
            token = self._token(request, values, fetch=boolean(args.get("fetch", not explain)))
        except TokenError as exc:
            return {
                "failed": True,
                "msg": exc.told,
                "error_code": exc.error_code,
                "vendor": args.get("vendor"),
                "path": asked_path(args),
                "valid": False,
                **explained,
            }
        return {**_facts(request, token, with_claims=with_claims), **explained}

    def _token(self, request: Request, values: dict[str, t.Any], *, fetch: bool) -> Token | None:
        with self.listener(values) as listener:
            resolver = Resolver(real_ports(warn=listener.warn, event=listener))
            return resolver.token(request) if fetch else resolver.known(request).token

    def _of_file(self, args: dict[str, t.Any], variables: dict[str, t.Any], expected: str | None) -> dict[str, t.Any]:
        with_claims = boolean(args.get("claims") or False)
        read = self._read([{"path": args["file"]}], variables, with_claims=with_claims)[0]
        file = _judged(read, from_template=True)  # nobody says that it is not
        if with_claims:
            file["claims"] = read.get("claims")
        file["current"] = (file["fingerprint"] == expected) if expected and file["valid"] is not None else None
        return {"file": file} if args.get("vendor") else {"file": file, "valid": file["valid"]}

    def _of_files(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """The files of the items of C(tokens), all in one module run; neither Vault nor a vendor is asked."""
        try:
            items = split_items(args)
            looked_for = [
                {
                    "path": mine.get("dest") or default_dest(mine.get("directory"), theirs.get("vendor"), theirs.get("path")),
                    "format": mine.get("format") or FILE_OPTIONS["format"]["default"],
                }
                for mine, theirs in items
            ]
        except OptionError as exc:
            raise failed_action(exc) from None
        files = self._read(looked_for, variables) if looked_for else []
        tokens = [
            {
                "vendor": theirs.get("vendor"),
                "secret": theirs.get("path") or theirs.get("vendor"),
                **_kept(mine, _judged(file, from_template=mine.get("format") == "template")),
                "path": asked["path"],
            }
            for (mine, theirs), asked, file in zip(items, looked_for, files, strict=True)
        ]
        return {"tokens": tokens, "valid": all(token["valid"] is not False for token in tokens)}

    def _read(self, files: list[dict[str, t.Any]], variables: dict[str, t.Any], *, with_claims: bool = False) -> list[dict[str, t.Any]]:
        answer = self.run_on_host(_READER, {"files": files, "claims": with_claims}, variables)
        paths = [file["path"] for file in files]
        found = file_results(answer, paths, READ, key="path")
        if found is None:
            failure = reduced(answer, FAILURE)
            raise failed_action(TokenError(failure.get("msg") or "The files could not be read on the host.", fault="host:module"), **failure)
        return [{**file, "path": path} for path, file in zip(paths, found, strict=True)]


def _kept(mine: dict[str, t.Any], file: dict[str, t.Any]) -> dict[str, t.Any]:
    """*file*, and whether it is as its item wants it: there or not, and readable by no other user of the host."""
    absent = mine.get("state") == "absent"
    mode = str(file["mode"] or "")  # the host's word, which may be anything
    readable = bool(_MODE.match(mode) and int(mode, 8) & _OTHERS)
    if absent:
        file["valid"] = None
    return {
        **file,
        "state": "absent" if absent else "present",
        "leftover": absent and bool(file["exists"]),
        "exposed": readable and not absent and not boolean(mine.get("allow_readable") or False),
    }


def _judged(read: dict[str, t.Any], *, from_template: bool) -> dict[str, t.Any]:
    """What is reported of a file.

    :arg from_template: a text in which no token is found may hold one nevertheless.
    """
    file = {name: read.get(name) for name in _OF_FILE}
    expires_at, now = file["expires_at"], time.time()
    file["expires_in"] = max(0, int(expires_at - now)) if expires_at else None
    file["expires_at_iso"] = iso_time(expires_at) if expires_at else None
    if from_template and file["exists"] and not (read.get("empty") or file["error"] or file["fingerprint"]):
        file["valid"] = None
    else:
        file["valid"] = bool(file["exists"] and file["fingerprint"] and (not expires_at or expires_at > now))
    return file


def _facts(request: Request, token: Token | None, *, with_claims: bool) -> dict[str, t.Any]:
    facts: dict[str, t.Any] = {
        "vendor": request.vendor.name,
        "path": request.secret.path,
        "valid": False,
        "expires_at": None,
        "expires_at_iso": None,
        "expires_in": None,
        "issued_at": None,
        "scope": None,
        "source": None,
        "token_type": None,
        "fingerprint": None,
    }
    if token is None:
        return facts
    now = time.time()
    facts.update(
        valid=token.expires_at > now,
        expires_at=int(token.expires_at),
        expires_at_iso=iso_time(token.expires_at),
        expires_in=max(0, int(token.expires_at - now)),
        issued_at=int(token.issued_at),
        scope=token.scope,
        source=token.source,
        token_type=token_type(token, request.vendor.authorization_scheme),
        fingerprint=token.fingerprint,
    )
    if with_claims:
        try:
            facts["claims"] = jwt.claims(token.access_token)
        except ValueError:
            facts["claims"] = None  # an opaque token has none
    if request.cache.kind == "vault":
        from ..plugin_utils._flow.shared_store import shared_path

        facts["cache_vault_entry"] = f"{request.cache.vault_mount}/{shared_path(request)}"
    return facts
