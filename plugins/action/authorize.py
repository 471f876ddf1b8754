# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(authorize): a person gives consent in the browser; the refresh token is stored in Vault."""

from __future__ import annotations

import multiprocessing
import os
import queue
import typing as t
from contextlib import ExitStack
from dataclasses import replace

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..plugin_utils._base.errors import OptionError, TokenError, VendorError
from ..plugin_utils._base.model import Request
from ..plugin_utils._boundary.action import TokenAction, asked_path, display
from ..plugin_utils._consent.browser import has_browser, opened
from ..plugin_utils._consent.flow import ConsentFlow, Stored
from ..plugin_utils._consent.loopback import AuthorizationResponse, Loopback, receive
from ..plugin_utils._consent.protocol import check_redirect_uri, is_response_to, listening_address, with_port
from ..plugin_utils._consent.terminal import open_terminal
from ..plugin_utils._tasks.consent_steps import (
    PASTE,
    changed_vendor,
    enter_code,
    no_response,
    open_address,
    option_for_consent,
    paste_again,
    refuse_without_effect,
    second_step,
    stored_text,
    would_ask,
)
from ..plugin_utils._vendor.address import split_address
from ..plugin_utils._vendors import names

_OWN: dict[str, dict[str, t.Any]] = {
    "flow": {"type": "str", "choices": ["code", "device"], "default": "code"},
    "authorize_url": {"type": "str"},
    "pkce": {"type": "bool"},
    "redirect_uri": {"type": "str"},
    "listen_port": {"type": "int", "default": 0},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int"},
    "open_browser": {"type": "bool", "default": True},
    "redirect_response": {"type": "str", "no_log": True},
}
_PATH = "/callback"
_WAIT = 300


class ActionModule(TokenAction):
    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        result.update(vendor=self._task.args.get("vendor"), path=asked_path(self._task.args), changed=False)
        try:
            own, item = self._arguments()
            request, values = self._consent_request(own, item, task_vars or {})
            result.update(vendor=request.vendor.name, path=request.secret.path)
            result.update(self._done(own, ConsentFlow(request, self.ports(values), device=own["flow"] == "device")))
        except TokenError as exc:
            result.update(failed=True, msg=exc.coded_message, error_code=exc.error_code)
        return result

    # Arguments

    def _arguments(self) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        """Our own arguments, checked, and those of the vendor's lookup."""
        args = self._task.args
        checked = ArgumentSpecValidator(_OWN).validate({name: args[name] for name in args if name in _OWN and args[name] is not None})
        if checked.error_messages:
            raise OptionError(checked.error_messages[0])
        item = {name: value for name, value in args.items() if name not in _OWN}
        self.refuse_wrong_options([item], _OWN, module="authorize")
        return checked.validated_parameters, item

    def _consent_request(self, own: dict[str, t.Any], item: dict[str, t.Any], task_vars: dict[str, t.Any]) -> tuple[Request, dict[str, t.Any]]:
        """The request, in the variant that needs consent if the vendor has one."""
        request, values = self.request_of(item, task_vars)
        option = option_for_consent(request.vendor, values, built_in=names())
        if option:
            request, values = self.request_of({**item, **option}, task_vars)
        return replace(request, vendor=replace(request.vendor, **changed_vendor(own))), values

    # Consent

    def _done(self, own: dict[str, t.Any], work: ConsentFlow) -> dict[str, t.Any]:
        if own["flow"] == "device":
            return self._by_device(own, work)
        if own.get("redirect_response"):
            return self._stored(work, work.finish(own["redirect_response"])) if not self._play_context.check_mode else {"changed": True}
        work.check_access()
        redirect_uri = own.get("redirect_uri") or work.registered_redirect_uri() or f"http://127.0.0.1:{own['listen_port']}{_PATH}"
        check_redirect_uri(work.request.vendor, redirect_uri)
        if self._play_context.check_mode:
            return {"changed": True, "msg": would_ask(work.name, work.request.where)}
        if not own["wait"]:
            return self._first_step(work, redirect_uri)
        return self._wait(own, work, redirect_uri)

    def _by_device(self, own: dict[str, t.Any], work: ConsentFlow) -> dict[str, t.Any]:
        refuse_without_effect(own, work.name)
        work.check_access()
        if self._play_context.check_mode:
            return {"changed": True, "msg": would_ask(work.name, work.request.where)}
        code = work.begin_device()
        seconds = min(own["wait_timeout"] or code.lifetime, code.lifetime)
        _show(enter_code(work.name, code, seconds=seconds))
        return self._stored(work, work.wait_for_device(code, seconds=seconds))

    def _first_step(self, work: ConsentFlow, redirect_uri: str) -> dict[str, t.Any]:
        if work.request.cache.kind == "none":
            raise OptionError(f"{work.name}: with cache=none nothing is kept until the second step. Remove cache=none or wait=false.", fault="option:clash")
        if split_address(redirect_uri).port == 0:
            raise OptionError(f"{work.name}: with wait=false the redirect port must be fixed: set listen_port or redirect_uri.", fault="option:missing")
        url, _consent = work.begin(redirect_uri)
        _show(open_address(work.name, url))
        _say(second_step())
        return {"changed": False, "authorization_url": url}

    def _wait(self, own: dict[str, t.Any], work: ConsentFlow, redirect_uri: str) -> dict[str, t.Any]:
        responses: queue.Queue[AuthorizationResponse] = queue.Queue()
        seconds = _WAIT if own["wait_timeout"] is None else own["wait_timeout"]
        with ExitStack() as stack:
            address = listening_address(redirect_uri)
            listener = None
            if address is not None:
                listener = stack.enter_context(Loopback(*address, responses))
                redirect_uri = with_port(redirect_uri, listener.port)
            terminal = open_terminal(_person_pid())
            if listener is None and terminal is None:
                raise OptionError(
                    f"{work.name}: the redirect address is not on this machine and there is no terminal to paste it at. "
                    "Use wait=false, and redirect_response in a second step.",
                    fault="option:clash",
                )
            url, consent = work.begin(redirect_uri)

            def is_response(redirected: str) -> bool:
                return is_response_to(redirected, consent)

            if listener is not None:
                listener.listen(split_address(redirect_uri).netloc, is_response)
            _show(open_address(work.name, url))
            if own["open_browser"] and has_browser(os.environ, os.uname().sysname):
                _open_browser(url, stack)
            if terminal is not None:
                stack.callback(terminal.close)
                _say(PASTE)
                terminal.listen(responses, is_response=is_response, again=lambda line: _say(paste_again(line)))
            try:
                stored = receive(
                    responses,
                    lambda redirected: work.finish(redirected, consent),
                    timeout=seconds,
                    describe=lambda done: stored_text(work.name, done),
                )
            except queue.Empty:
                unrelated = listener.refused if listener is not None else 0
                raise VendorError(no_response(work.name, seconds=seconds, unrelated=unrelated), fault="consent:timeout") from None
        return {**self._stored(work, stored), "authorization_url": url}

    @staticmethod
    def _stored(work: ConsentFlow, stored: Stored) -> dict[str, t.Any]:
        text = stored_text(work.name, stored)
        _say(text)
        return {"changed": True, "msg": text, "secret_version": int(stored.version), "scope": stored.scope}


def _say(text: str) -> None:
    """Show *text* on standard error: ansible's standard output is buffered if it is not a terminal, and a callback may print JSON there."""
    display.display(text, stderr=True)


def _show(text: str) -> None:
    """Like :func:`_say`, but not in ansible's log, which others may read: with the state or the code, they could give consent instead."""
    display.display(text, stderr=True, screen_only=True)


def _person_pid() -> int:
    """The id of the process that the person started; this one is its worker."""
    parent = multiprocessing.parent_process()
    return (parent.pid if parent else None) or os.getpid()


def _open_browser(url: str, stack: ExitStack) -> None:
    try:
        stack.enter_context(opened(url))
    except OSError:
        display.vvv("trackops.api_tokens: no browser could be opened")
