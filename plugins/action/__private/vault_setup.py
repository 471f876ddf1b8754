# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook C(vault_setup): set up Vault from the controller, with an operator's token.

Task arguments do not contain the token, because callbacks see them: this action reads the variables itself, ignoring facts.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
import typing as t
from dataclasses import replace

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible.utils.display import Display

from ...plugin_utils._base.errors import OptionError, TokenError
from ...plugin_utils._tasks.setup_answers import for_operator
from ...plugin_utils._tasks.setup_run import Report, Setup, noted
from ...plugin_utils._tasks.setup_settings import PREFIX, VARIABLES, Settings, settings
from ...plugin_utils._tasks.setup_things import Do
from ...plugin_utils._text.one_line import one_line
from ...plugin_utils._vault.client import VaultClient
from ...plugin_utils._vault.connection import Connection
from ...plugin_utils._vault.login_input import surroundings
from ...plugin_utils._vault.options import VaultOptions
from ...plugin_utils._vendors import names

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        report, to_set = Report(), []
        try:
            if C.DEFAULT_DEBUG:  # it prints module arguments, and more, despite no_log
                raise OptionError("With ANSIBLE_DEBUG set, Ansible prints the operator's token. Unset it; -vvv does not print the token.", fault="option:clash")
            wanted = self._settings(task_vars or {})
            setup = self._setup(wanted)
            report = setup.run()
            if report.error is None:
                report = self._with_secret_id(report, wanted, setup.secret_id)
                to_set = setup.to_set(report.has, expanded=os.path.expanduser)
        except TokenError as exc:
            report = replace(report, error=exc)
        result.update(changed=report.changed, done=list(report.done), to_set=to_set)
        if report.error is not None:
            result.update(failed=True, msg=report.error.coded_message, error_code=report.error.error_code)
        return result

    def _settings(self, variables: dict[str, t.Any]) -> Settings:
        lookup = lookup_loader.get("trackops.api_tokens.operator_vars", loader=self._loader, templar=self._templar)
        found = {name: lookup.run([PREFIX + name], variables) for name in VARIABLES}
        values = {name: value[0] for name, value in found.items() if value}
        return settings(values, vendors=names(), environ=os.environ, token_file=_token_of_login)

    def _setup(self, wanted: Settings) -> Setup:
        environ, home, read_file = surroundings()
        # A failed read ends the run, and Setup itself retries changes.
        given = {"url": wanted.url, "token": wanted.token, "namespace": wanted.namespace, "retries": 0}
        try:
            options = VaultOptions.from_mapping(given, environ=environ, home=home, read_file=read_file)
            vault = VaultClient(Connection(options, warn=_warn, guarded=True))
        except TokenError as exc:
            raise exc.reworded(for_operator(exc.message)) from None
        vault.use_token(wanted.token)
        if wanted.without_effect:
            _warn("vault_setup_cache_mount and vault_setup_cache_path have no effect without vault_setup_shared_cache=true.")
        return Setup(wanted, vault, place=f"Vault at {options.shown_url}", dry_run=bool(self._task.check_mode), sleep=time.sleep)

    def _with_secret_id(self, report: Report, wanted: Settings, secret_id: t.Callable[[], str]) -> Report:
        """Store a new secret_id in the file, unless something exists at its path, and add that to *report*."""
        path, check = os.path.expanduser(wanted.secret_id_file), bool(self._task.check_mode)
        if not path:
            return report
        if os.path.lexists(path):
            trouble = _trouble_with(path)
            if trouble:
                _warn(f"{PREFIX}secret_id_file {one_line(path)} stays as it is, but {trouble}.")
            return report
        if not check:
            try:
                _write_anew(path, secret_id)
            except OSError as exc:
                why = (exc.strerror or "failed").lower()
                raise OptionError(f"{PREFIX}secret_id_file {one_line(path)} cannot be written ({why}).", fault="option:file") from None
        return noted(report, Do.MAKE, f"a secret_id in {one_line(path)}", dry_run=check)


def _trouble_with(path: str) -> str:
    """Why *path* cannot be used for a secret_id, and what to do; empty if it can."""
    again = "remove it to get a new one"
    try:
        found = os.stat(path)
    except OSError:
        return f"it is a symbolic link that cannot be followed: {again}"
    if not stat.S_ISREG(found.st_mode):
        return f"it is not a file: {again}"
    if found.st_uid not in (0, os.geteuid()):
        return f"it belongs to another user, who may have put another secret_id there: {again}"
    if found.st_mode & 0o077:
        return f"other users can access it (mode {stat.S_IMODE(found.st_mode):04o}): set its mode to 0600, and create a new secret_id if they have read it"
    return "" if found.st_size else f"it is empty: {again}"


def _write_anew(path: str, content: t.Callable[[], str]) -> None:
    """Create a file that only the user can read, complete or not at all. *content* is called only once the file is writable."""
    handle, written = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".secret-id.")  # 0600
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(content())
        os.link(written, path)  # unlike rename, it replaces nothing
    finally:
        os.unlink(written)


def _token_of_login() -> str:
    """The token that C(vault login) stored; empty if there is none or it cannot be read."""
    _environ, home, read_file = surroundings()
    try:
        return read_file(os.path.join(home or "/", ".vault-token"))
    except (OSError, ValueError):
        return ""


def _warn(text: str) -> None:
    display.warning(for_operator(text))
