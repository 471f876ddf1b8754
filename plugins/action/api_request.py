# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(api_request): C(ansible.builtin.uri) with a vendor's token, renewed once if the API rejects it."""

from __future__ import annotations

import contextlib
import typing as t

from ansible.errors import AnsibleActionFail

from ..plugin_utils._base.errors import OptionError
from ..plugin_utils._boundary.action import HiddenArguments, Resolved, TokenAction, display, failed_action, interpreter_fact, module_result, pipelined
from ..plugin_utils._hosts.answers import of_api
from ..plugin_utils._tasks.api_call import OPTIONS_OF_URI, address_options, expected, split, token_remover

_URI = "ansible.builtin.uri"
_REFUSED = 401
_VERBOSE = 3


class ActionModule(TokenAction):
    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            request, wanted = split(self._task.args)
            self.refuse_wrong_options([wanted], (*OPTIONS_OF_URI, "vault"), module="api_request")
        except OptionError as exc:
            raise failed_action(exc) from None
        if self._task.check_mode:
            return {**result, "changed": False, "skipped": True, "msg": "An API is not called in check mode."}
        first = self._one(wanted, variables)
        try:
            request = {**request, **address_options(request["url"], allow_http=first.request is not None and first.request.http.allow_http)}
        except OptionError as exc:
            raise failed_action(exc) from None
        answer = self._send(request, (first,), variables)
        if answer.get("status") == _REFUSED and _REFUSED not in expected(request):
            fresh = self._one({**wanted, "refused": first.details()["access_token"]}, variables, by_host=True)
            if fresh.details()["access_token"] != first.details()["access_token"]:
                # An API that rejects a token may nevertheless know and repeat it.
                answer = self._send(request, (fresh, first), variables)
                answer["token_renewed"] = True
        result.update(answer)
        return result

    def _one(self, wanted: dict[str, t.Any], variables: dict[str, t.Any], **freshness: bool) -> Resolved:
        resolved = self.resolve_many([wanted], variables, **freshness)[0]
        if resolved.error:
            raise AnsibleActionFail(resolved.error, result={"vendor": resolved.vendor, "path": resolved.path, "error_code": resolved.error_code})
        return resolved

    def _send(self, request: dict[str, t.Any], obtained: t.Sequence[Resolved], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """The API's response to the first of the *obtained* tokens, with all of them removed."""
        details = obtained[0].details()
        task = self._task.copy()
        headers = {**(request.get("headers") or {}), "Authorization": details["authorization"]}
        task.args = {
            **request,
            "headers": headers,
            # Send the header to the host in the task, not to a redirect target.
            "unredirected_headers": [*(request.get("unredirected_headers") or []), "Authorization"],
            "use_netrc": False,  # its password would replace our header
            # Without a user name, uri does not use a password, but hides its value in its results and logs.
            "url_password": details["access_token"],
        }
        # The host's system log gets str(headers), which escapes quotes and backslashes, so that the hidden value does not match there.
        task.no_log = task.no_log or details["access_token"] not in str(headers)
        uri = self._shared_loader_obj.action_loader.get(
            _URI,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        uri._execute_module = _unseen(uri._execute_module, task.args)
        clean = token_remover(one.details()["access_token"] for one in obtained)
        with _unprinted(self._connection), pipelined(self._connection, variables):
            return {**module_result(lambda: of_api(uri.run(task_vars=variables), clean)), **interpreter_fact(uri)}


@contextlib.contextmanager
def _unprinted(connection: t.Any) -> t.Iterator[None]:
    """Silence ssh, which from C(-vvv) on prints a module's output, from which only verbatim tokens have been removed at that point."""
    context = getattr(connection, "_play_context", None)
    if context is None or display.verbosity < _VERBOSE:
        yield
        return
    before, context.no_log = context.no_log, True
    try:
        yield
    finally:
        context.no_log = before


def _unseen(execute: t.Callable[..., t.Any], arguments: dict[str, t.Any]) -> t.Callable[..., t.Any]:
    """Wrap Ansible's *execute* so that no log shows the module arguments; *arguments* are those of the task."""

    def run(module_name: t.Any = None, module_args: t.Any = None, **options: t.Any) -> t.Any:
        return execute(module_name=module_name, module_args=HiddenArguments(arguments if module_args is None else module_args), **options)

    return run
