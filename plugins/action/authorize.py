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
from ..plugin_utils._consent.flow import PENDING_SECONDS, Authorizing, Stored
from ..plugin_utils._consent.loopback import Answer, Loopback, receive
from ..plugin_utils._consent.protocol import answers, check_redirect_uri, is_answer, listening_address, with_port
from ..plugin_utils._consent.terminal import open_terminal
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
# Options that only the redirect needs.
_OF_CODE = ("authorize_url", "pkce", "redirect_uri", "redirect_response")


class ActionModule(TokenAction):
    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        result.update(vendor=self._task.args.get("vendor"), path=asked_path(self._task.args), changed=False)
        try:
            own, item = self._arguments()
            request, values = self._consent_request(own, item, task_vars or {})
            result.update(vendor=request.vendor.name, path=request.secret.path)
            result.update(self._done(own, Authorizing(request, self.ports(values), device=own["flow"] == "device")))
        except TokenError as exc:
            result.update(failed=True, msg=exc.told, error_code=exc.error_code)
        return result

    # Arguments

    def _arguments(self) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        """Our own arguments, checked, and those of the vendor's lookup."""
        args = self._task.args
        checked = ArgumentSpecValidator(_OWN).validate({name: args[name] for name in args if name in _OWN and args[name] is not None})
        if checked.error_messages:
            raise OptionError(checked.error_messages[0])
        item = {name: value for name, value in args.items() if name not in _OWN}
        self.refuse_unknown_options([item], _OWN, module="authorize")
        return checked.validated_parameters, item

    def _consent_request(self, own: dict[str, t.Any], item: dict[str, t.Any], task_vars: dict[str, t.Any]) -> tuple[Request, dict[str, t.Any]]:
        """The request, in the variant that needs consent if the vendor has one."""
        request, values = self.request_of(item, task_vars)
        vendor = request.vendor
        if not vendor.single_use:
            fitting = [name for name in vendor.variants if vendor.as_variant(name).single_use]
            described = vendor.name in names() or vendor.name in (values.get("vendors") or {})
            if fitting:
                request, values = self.request_of({**item, "variant": fitting[0]}, task_vars)
            elif not described and not values.get("grant_type"):
                request, values = self.request_of({**item, "grant_type": "authorization_code"}, task_vars)
        changes: dict[str, t.Any] = {name: own[name] for name in ("authorize_url", "pkce") if own.get(name) not in (None, "")}
        return replace(request, vendor=replace(request.vendor, **changes)), values

    # Consent

    def _done(self, own: dict[str, t.Any], work: Authorizing) -> dict[str, t.Any]:
        if own["flow"] == "device":
            return self._by_device(own, work)
        if own.get("redirect_response"):
            return self._stored(work, work.finish(own["redirect_response"])) if not self._play_context.check_mode else {"changed": True}
        work.check_access()
        redirect_uri = own.get("redirect_uri") or work.registered_redirect_uri() or f"http://127.0.0.1:{own['listen_port']}{_PATH}"
        check_redirect_uri(work.request.vendor, redirect_uri)
        if self._play_context.check_mode:
            return {"changed": True, "msg": f"{work.name}: consent would be asked for, for {work.request.where}."}
        if not own["wait"]:
            return self._first_step(work, redirect_uri)
        return self._wait(own, work, redirect_uri)

    def _by_device(self, own: dict[str, t.Any], work: Authorizing) -> dict[str, t.Any]:
        for name in _OF_CODE:
            if own.get(name) not in (None, ""):
                raise OptionError(
                    f"{work.name}: {name} cannot be used with flow=device, because no browser returns to this machine. Remove it.", fault="option:clash"
                )
        if not own["wait"]:
            raise OptionError(f"{work.name}: flow=device has no second step, so it always waits. Remove wait=false.", fault="option:clash")
        work.check_access()
        if self._play_context.check_mode:
            return {"changed": True, "msg": f"{work.name}: consent would be asked for, for {work.request.where}."}
        code = work.begin_device()
        seconds = min(own["wait_timeout"] or code.lifetime, code.lifetime)
        filled = f"\nor, with the code already in it:\n\n{code.verification_uri_complete}\n" if code.verification_uri_complete else ""
        _show(
            f"{work.name}: on any device, open this address, log in, enter the code and allow:\n\n"
            f"{code.verification_uri}\ncode: {code.user_code}\n{filled}\nWaiting for {seconds:.0f} s."
        )
        return self._stored(work, work.wait_for_device(code, seconds=seconds))

    def _first_step(self, work: Authorizing, redirect_uri: str) -> dict[str, t.Any]:
        if work.request.cache.kind == "none":
            raise OptionError(f"{work.name}: with cache=none nothing is kept until the second step. Remove cache=none or wait=false.", fault="option:clash")
        if split_address(redirect_uri).port == 0:
            raise OptionError(f"{work.name}: with wait=false the redirect port must be fixed: set listen_port or redirect_uri.", fault="option:missing")
        url, _consent = work.begin(redirect_uri)
        self._ask(work, url)
        _say(
            f"Then run this again within {PENDING_SECONDS / 60:.0f} minutes with redirect_response set to the address that the browser ended "
            "at, even if the browser shows no page there."
        )
        return {"changed": False, "authorization_url": url}

    def _wait(self, own: dict[str, t.Any], work: Authorizing, redirect_uri: str) -> dict[str, t.Any]:
        came: queue.Queue[Answer] = queue.Queue()
        seconds = _WAIT if own["wait_timeout"] is None else own["wait_timeout"]
        with ExitStack() as stack:
            address = listening_address(redirect_uri)
            listener = None
            if address is not None:
                listener = stack.enter_context(Loopback(*address, came))
                redirect_uri = with_port(redirect_uri, listener.port)
            terminal = open_terminal(_person_pid())
            if listener is None and terminal is None:
                raise OptionError(
                    f"{work.name}: the redirect address is not on this machine and there is no terminal to paste it at. "
                    "Use wait=false, and redirect_response in a second step.",
                    fault="option:clash",
                )
            url, consent = work.begin(redirect_uri)

            def fits(redirected: str) -> bool:
                return answers(redirected, consent)

            if listener is not None:
                listener.listen(split_address(redirect_uri).netloc, fits)
            self._ask(work, url)
            if own["open_browser"] and has_browser(os.environ, os.uname().sysname):
                _open_browser(url, stack)
            if terminal is not None:
                stack.callback(terminal.close)
                _say("If the browser cannot come back to this machine: paste the address that it ended at here, and press Enter.")
                terminal.listen(came, wanted=fits, again=_paste_again)
            try:
                stored = receive(
                    came,
                    lambda redirected: work.finish(redirected, consent),
                    timeout=seconds,
                    describe=lambda done: _sentence(work, done),
                )
            except queue.Empty:
                raise VendorError(
                    f"{work.name}: no answer came within {seconds} s.{_others(listener)} Nothing was stored. Start again; or, if you "
                    f"gave consent, within {PENDING_SECONDS / 60:.0f} minutes run this with redirect_response set to the address that the "
                    "browser ended at.",
                    fault="consent:timeout",
                ) from None
        return {**self._stored(work, stored), "authorization_url": url}

    @staticmethod
    def _ask(work: Authorizing, url: str) -> None:
        _show(f"{work.name}: open this address in a browser, log in and allow:\n\n{url}\n")

    @staticmethod
    def _stored(work: Authorizing, stored: Stored) -> dict[str, t.Any]:
        text = _sentence(work, stored)
        _say(text)
        return {"changed": True, "msg": text, "secret_version": int(stored.version), "scope": stored.scope}


def _say(text: str) -> None:
    """Show *text* on standard error: ansible's standard output is buffered if it is not a terminal, and a callback may print JSON there."""
    display.display(text, stderr=True)


def _show(text: str) -> None:
    """Like :func:`_say`, but not in ansible's log, which others may read: with the state or the code, they could give consent instead."""
    display.display(text, stderr=True, screen_only=True)


def _sentence(work: Authorizing, stored: Stored) -> str:
    return f"{work.name}: the refresh token is stored at {stored.where} (version {stored.version})."


def _person_pid() -> int:
    """The id of the process that the person started; this one is its worker."""
    parent = multiprocessing.parent_process()
    return (parent.pid if parent else None) or os.getpid()


def _open_browser(url: str, stack: ExitStack) -> None:
    try:
        stack.enter_context(opened(url))
    except OSError:
        display.vvv("trackops.api_tokens: no browser could be opened")


def _paste_again(line: str) -> None:
    if is_answer(line):
        _say("That address has a different state: it belongs to another attempt. Try again:")
    else:
        _say("That address has neither a code nor an error. Try again:")


def _others(listener: Loopback | None) -> str:
    """A note for the person about requests without a valid state: the vendor may have omitted it."""
    if listener is None or not listener.refused:
        return ""
    return f" Requests without the state of this attempt: {listener.refused}."
