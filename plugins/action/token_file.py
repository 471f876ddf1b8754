# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(token_file): obtain tokens here, and write all files on the host in one module run."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.text.converters import to_text
from ansible.utils.unsafe_proxy import wrap_var

from ..plugin_utils._base.errors import OptionError, TokenError
from ..plugin_utils._base.model import Token
from ..plugin_utils._boundary.action import HiddenArguments, Resolved, TokenAction, failed_action, interpreter_fact, list_name
from ..plugin_utils._hosts.answers import FAILURE, WRITTEN, diffs, file_results, reduced
from ..plugin_utils._hosts.files import FILE_OPTIONS, HostFile, contents_argument, files_argument, plan, split_items
from ..plugin_utils._hosts.formats import lasting, placeholder, render
from ..plugin_utils._tasks.file_report import NOTHING_DONE, SINGLE_FILE_KEYS, SPEC_KEYS, not_tried, report
from ..plugin_utils._text.one_line import one_line

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19
    trust_as_template = None

_MODULE = "trackops.api_tokens.__private.token_file_write"


class _Ready(t.NamedTuple):
    """The arguments of the writing module."""

    files: list[dict[str, t.Any]]
    contents: HiddenArguments  # by file path


class ActionModule(TokenAction):
    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            named = list_name(self._task)
            items = split_items(self._task.args, called=named)
            listed = self._task.args.get("tokens") or ()
            beside = {key: value for key, value in self._task.args.items() if key != "tokens"}
            self.refuse_wrong_options([beside], FILE_OPTIONS, module="token_file", of=listed, named=named)
            files = plan([item._replace(file_options=_checked(item.file_options, item.place)) for item in items])
        except OptionError as exc:
            raise failed_action(exc) from None
        ready, failed = self._filled(files, [item.token_options for item in items], variables)
        result.update(report(files, failed, self._write(ready, variables)))
        if "tokens" not in self._task.args and "files" in result:
            result.update({key: result["files"][0].get(key) for key in SINGLE_FILE_KEYS})
        return result

    def _filled(self, files: list[HostFile], token_options: list[dict[str, t.Any]], variables: dict[str, t.Any]) -> tuple[_Ready, dict[str, dict[str, t.Any]]]:
        """The files that can be written, with their contents; and reports on the others, by path."""
        ready, failed = _Ready([], HiddenArguments()), {}
        wanted = [options for file, options in zip(files, token_options, strict=True) if file.wants_token]
        answers = iter(self.resolve_many(wanted, variables, together=True))
        for file in files:
            if not file.wants_token:
                ready.files.append(files_argument(file))
                continue
            answer = next(answers)
            if answer.token is None:
                failed[file.dest] = not_tried(files_argument(file, path=answer.path), answer.error, answer.error_code)
                continue
            try:
                self._fill(ready, file, answer, answer.token, variables)
            except TokenError as exc:
                failed[file.dest] = not_tried(files_argument(file, path=answer.path), exc.coded_message, exc.error_code)
        return ready, failed

    def _fill(self, ready: _Ready, file: HostFile, answer: Resolved, token: Token, variables: dict[str, t.Any]) -> None:
        text = self._text(file, answer, variables)
        ready.contents[file.dest] = contents_argument(text)
        ready.files.append(files_argument(file, path=answer.path, fingerprint=token.fingerprint, expires_at=token.expires_at))

    def _text(self, file: HostFile, answer: Resolved, variables: dict[str, t.Any]) -> str:
        if file.template is None:
            return render(file.format, answer.details(), env_name=file.env_name)
        # Before 2.19 the value of a variable is a template, too, unless it is marked. These values come from a vendor.
        facts = wrap_var({"token": lasting(answer.details()), "vendor": answer.vendor, "path": answer.path})
        try:
            text = self._from_template(file.template, {**variables, **facts})
        except Exception:  # noqa: BLE001 - whatever a template raises, the other files must still be written
            why = self._why(file.template, {**variables, **facts})
            raise OptionError(f"the template {one_line(file.template, limit=100)} cannot be used{why}", fault="option:template") from None
        if not text.strip():
            raise OptionError(f"{file.dest}: the template {file.template} produces an empty file", fault="option:template")
        return text

    def _why(self, name: str, variables: dict[str, t.Any]) -> str:
        """What is wrong with a template. The original error may show the token in any form, so it is reproduced without the token."""
        try:
            self._from_template(name, {**variables, "token": wrap_var(placeholder(variables["token"]))})
        except OptionError as exc:
            return f": {exc.message}"
        except (AnsibleError, OSError, UnicodeError) as exc:
            return f": {one_line(str(exc), limit=500)}"
        except Exception as exc:  # noqa: BLE001 - as above
            return f": {type(exc).__name__}"
        return " with this token"

    def _from_template(self, name: str, variables: dict[str, t.Any]) -> str:
        source = self._template_path(name)
        readable = self._loader.get_real_file(source)
        try:
            text = Path(readable).read_text(encoding="utf-8")
        finally:
            self._loader.cleanup_tmp_file(readable)  # the decrypted copy, if ansible-vault encrypts it
        search = [str(Path(source).parent), *(f"{path}/templates" for path in variables.get("ansible_search_path", []))]
        rendered: str = to_text(self._rendered(text, search, variables), nonstring="simplerepr")
        return rendered

    def _template_path(self, name: str) -> str:
        try:
            found: str = self._find_needle("templates", name)
        except AnsibleError:
            # A collection's playbook is in a directory where users have no templates.
            near = [path for path in (Path("templates", name), Path(name)) if path.is_file()]
            if not near:
                raise OptionError(
                    "it is not found where Ansible looks for templates, nor in the current directory; give its absolute path", fault="option:template"
                ) from None
            found = str(near[0].absolute())
        return found

    def _rendered(self, text: str, search: list[str], variables: dict[str, t.Any]) -> t.Any:
        if trust_as_template is not None:
            templar = self._templar.copy_with_new_env(searchpath=search, available_variables=variables)
            return templar.template(trust_as_template(text), escape_backslashes=False)
        from ansible.template import AnsibleEnvironment

        # Before 2.19 every text is a template, and only this environment does not convert texts that look like a number or a list.
        templar = self._templar.copy_with_new_env(environment_class=AnsibleEnvironment, searchpath=search, available_variables=variables)
        return templar.do_template(text, preserve_trailing_newlines=True, escape_backslashes=False)

    def _write(self, ready: _Ready, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """The module's report per file, or why it could not be run. The host controls the answer, so everything else in it is dropped."""
        if not ready.files:
            return {"files": []}
        answer = self.run_on_host(_MODULE, ready._asdict(), variables)
        own = interpreter_fact(self)
        results = file_results(answer, [file["dest"] for file in ready.files], WRITTEN, key="dest")
        if results is None:
            failure = reduced(answer, FAILURE)
            exc = TokenError(failure.get("msg") or "The files could not be written on the host.", fault="host:module")
            return {**failure, "msg": exc.coded_message, "error_code": exc.error_code, "failed": True, **own}
        entries = [
            {**{key: file[key] for key in SPEC_KEYS}, **NOTHING_DONE, **{key: value for key, value in result.items() if value is not None}}
            for file, result in zip(ready.files, results, strict=True)
        ]
        return {"files": entries, **({"diff": diffs(answer)} if self._task.diff else {}), **own}


def _checked(options: t.Mapping[str, t.Any], place: str) -> dict[str, t.Any]:
    """File options with types and defaults, checked like the arguments of a module.

    :arg place: the place of the item in messages; empty for a task without a list.
    """
    checked = ArgumentSpecValidator({name: dict(spec) for name, spec in FILE_OPTIONS.items()}).validate(options)
    if checked.error_messages:
        raise OptionError(f"{place or str(options.get('dest') or 'token_file') + ': '}{checked.error_messages[0]}")
    parameters: dict[str, t.Any] = checked.validated_parameters
    return parameters
