# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(token_info): report on a token without showing it."""

from __future__ import annotations

import time
import typing as t

from ..plugin_utils._base.errors import OptionError, TokenError
from ..plugin_utils._base.model import Request, Token
from ..plugin_utils._boundary.action import TokenAction, asked_path, failed_action, flag, interpreter_fact, list_name
from ..plugin_utils._flow.resolver import Resolver
from ..plugin_utils._hosts.answers import FAILURE, READ, file_results, reduced
from ..plugin_utils._hosts.files import FILE_OPTIONS, checked_path, checked_text, default_dest, error_prefix, split_items
from ..plugin_utils._tasks.token_status import file_status, item_status, public_claims, token_status

_READER = "trackops.api_tokens.__private.token_file_read"
_OWN = ("file", "claims", "fetch", "tokens", "directory", "explain")


class ActionModule(TokenAction):
    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        args, variables = self._task.args, task_vars or {}
        try:
            self._refuse_wrong_options(args)
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
        result.update(interpreter_fact(self), changed=False)
        return result

    def _refuse_wrong_options(self, args: dict[str, t.Any]) -> None:
        items = args.get("tokens")
        if isinstance(items, list):
            # The items may be those of token_file: its own options are unused here, but harmless.
            own = {name: value for name, value in args.items() if name != "tokens"}
            listed = [item for item in items if isinstance(item, dict)]
            self.refuse_wrong_options([own], (*_OWN, *FILE_OPTIONS), module="token_info", of=listed, named=list_name(self._task))
        else:
            self.refuse_wrong_options([args], _OWN, module="token_info")

    def _of_token(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        explained: dict[str, t.Any] = {}
        try:
            with_claims, explain = flag(args, "claims", False), flag(args, "explain", False)
            values = self.values_of(args, variables)
            explained = {"options": self.explain(args, variables, values)} if explain else {}
            request = self.request_with(args, values)
            token = self._token(request, values, fetch=flag(args, "fetch", not explain))
        except TokenError as exc:
            return {
                "failed": True,
                "msg": exc.coded_message,
                "error_code": exc.error_code,
                "vendor": args.get("vendor"),
                "path": asked_path(args),
                "valid": False,
                **explained,
            }
        return {**token_status(request, token, with_claims=with_claims, now=time.time()), **explained}

    def _token(self, request: Request, values: dict[str, t.Any], *, fetch: bool) -> Token | None:
        resolver = Resolver(self.ports(values))
        return resolver.token(request) if fetch else resolver.known(request).token

    def _of_file(self, args: dict[str, t.Any], variables: dict[str, t.Any], expected: str | None) -> dict[str, t.Any]:
        try:
            with_claims = flag(args, "claims", False)
            checked_path(str(args["file"]), option="file")
        except OptionError as exc:
            raise failed_action(exc) from None
        read = self._read([{"path": args["file"]}], variables, with_claims=with_claims)[0]
        file = file_status(read, from_template=True, now=time.time())  # it may be
        if with_claims:
            file["claims"] = public_claims(read["claims"]) if read.get("claims") is not None else None
        file["current"] = (file["fingerprint"] == expected) if expected and file["valid"] is not None else None
        return {"file": file} if args.get("vendor") else {"file": file, "valid": file["valid"]}

    def _of_files(self, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Report on the files of the items in C(tokens), in one module run, without requests to Vault or a vendor."""
        try:
            items = split_items(args, called=list_name(self._task))
            looked_for, may_be_read = [], []
            for file_options, token_options, place in items:
                with error_prefix(place):
                    dest = checked_text("dest", file_options.get("dest"))
                    path = dest or default_dest(file_options.get("directory"), token_options.get("vendor"), token_options.get("path"))
                    looked_for.append({"path": path, "format": file_options.get("format") or FILE_OPTIONS["format"]["default"]})
                    may_be_read.append(flag(file_options, "allow_readable", False))
        except OptionError as exc:
            raise failed_action(exc) from None
        files = self._read(looked_for, variables) if looked_for else []
        now = time.time()
        tokens = [
            {
                "vendor": token_options.get("vendor"),
                "secret": token_options.get("path") or token_options.get("vendor"),
                **item_status(file_options, file_status(file, from_template=file_options.get("format") == "template", now=now), allow_readable=readable),
                "path": asked["path"],
            }
            for (file_options, token_options, _place), asked, file, readable in zip(items, looked_for, files, may_be_read, strict=True)
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
