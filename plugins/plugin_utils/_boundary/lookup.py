# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The boundary to ansible: options as ansible finds them become requests, and our errors become ansible's.

Used by the lookups and, through the vendor's lookup, by the actions, so that both find the same values in the same places.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleLookupError, AnsibleOptionsError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from .._base.errors import OptionError, TokenError
from .._base.model import Request
from .._base.output import present
from .._base.text import one_line
from .._flow.resolver import Resolver
from .events import Listener
from .operator_variables import OperatorVariables
from .option_values import as_mapping, without_empty_environment
from .options import Surroundings, request_from
from .real_ports import real_ports

__all__ = ("TokenLookup", "read_text", "surroundings")

display = Display()


def read_text(path: str) -> str:
    """The text of a file; raises OSError."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def surroundings() -> Surroundings:
    """This process's environment, home directory and files."""
    return Surroundings(os.environ, os.environ.get("HOME") or os.path.expanduser("~"), read_text)


class TokenLookup(LookupBase):  # type: ignore[misc]
    """A lookup that gives tokens; a subclass only says of which vendor."""

    vendor: str

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        try:
            values = self.resolved_options(variables, kwargs)
            paths: list[str | None] = [*self._paths(terms)] or [None]
            requests = [request_from(self.vendor, path, values, surroundings=surroundings()) for path in paths]
            return _present_all(requests, values)
        except OptionError as exc:
            raise AnsibleOptionsError(exc.message) from None
        except TokenError as exc:
            # "from exc" would print the texts of its causes too, with whatever they hold.
            raise AnsibleLookupError(exc.message) from None

    def _paths(self, terms: list[t.Any]) -> list[str]:
        if not all(isinstance(term, str) for term in terms):
            raise OptionError(f"{self.vendor}: the terms have to be paths in Vault, as strings.")
        return list(terms)

    def resolved_options(self, variables: t.Any, direct: dict[str, t.Any]) -> dict[str, t.Any]:
        """The values of all options: direct, variables, environment, ini, default; templates in variables are resolved."""
        values = dict(self.raw_options(variables, direct))
        for name in ("credential_fields", "extra_parameters", "request_headers", "vendors"):
            values[name] = self._mapping(name, values.get(name))
        return values

    def raw_options(self, variables: t.Any, direct: dict[str, t.Any]) -> dict[str, t.Any]:
        """As :meth:`resolved_options`, but dictionaries may still be texts. Not to be changed: the same object is given again."""
        operator = OperatorVariables(variables, warn=display.warning)
        self._tell_ignored(operator)
        given = self._variables(operator)
        values = _known(("options", self.vendor, repr(direct), repr(given)), lambda: self._resolve(given, direct))
        vendor = values.get("vendor")
        if self.vendor != "oauth2" or vendor in (None, "", "oauth2"):
            return values
        from .vendor_settings import described_by, own_variables

        own = self._set_variables(own_variables(str(vendor)), operator)

        def described() -> dict[str, t.Any]:
            # The settings of C(oauth2) itself are not those of a vendor with a name.
            found = described_by(str(vendor), self.option_definitions, own)
            return {**values, **{name: value for name, value in found.items() if direct.get(name) is None}}

        return _known(("own", repr(direct), repr(given), repr(own)), described)

    def _resolve(self, variables: dict[str, t.Any], direct: dict[str, t.Any]) -> dict[str, t.Any]:
        self._refuse_strangers(direct)
        try:
            with without_empty_environment():
                self.set_options(var_options=variables, direct=direct)
        except AnsibleError as exc:
            raise self._misfit(exc) from None
        values: dict[str, t.Any] = self.get_options()
        return values

    def _tell_ignored(self, operator: OperatorVariables) -> None:
        """Settings that would hold for all vendors are not taken, and that is told."""
        variables = operator.find(IGNORED)
        if bool(variables) or _known(("ignored",), _any_ignored):
            from .vendor_settings import ignored_settings

            for line in ignored_settings(os.environ, variables):
                display.warning(line)

    def _mapping(self, name: str, value: t.Any) -> t.Any:
        try:
            return as_mapping(name, value, read_file=read_text)
        except OptionError as exc:
            raise OptionError(f"{self.vendor}: {exc.message}") from None

    def _refuse_strangers(self, direct: t.Mapping[str, t.Any]) -> None:
        """Ansible ignores options that a lookup does not have, so that a slip of the pen would go unnoticed."""
        known = {name for option, facts in self.option_definitions.items() for name in (option, *(facts.get("aliases") or ()))}
        for name in direct:
            if name not in known:
                import difflib

                near = difflib.get_close_matches(name, known, n=1)
                raise OptionError(f"{self.vendor}: there is no option '{one_line(name, limit=40)}'" + (f"; is {near[0]} meant?" if near else "."))

    def _misfit(self, exc: AnsibleError) -> OptionError:
        """What ansible says of a value that does not fit its option, with the values that would."""
        said = one_line(re.sub(r" for 'ansible_collections\.[^']*' lookup plugin", "", str(exc)), limit=400).rstrip(".")
        for name, facts in self.option_definitions.items():
            if facts.get("choices") and f"'{name}'" in said.replace('"', "'"):
                return OptionError(f"{self.vendor}: {said}. Use one of: {', '.join(map(str, facts['choices']))}.")
        return OptionError(f"{self.vendor}: {said}.")

    def _variables(self, operator: OperatorVariables) -> dict[str, t.Any]:
        """Those that options are read from; ansible checks their types, so templates have to be resolved before."""

        def names() -> list[str]:
            return [entry["name"] for definition in self.option_definitions.values() for entry in definition.get("vars") or ()]

        return self._set_variables(_known(("variables", self.vendor), names), operator)

    def _set_variables(self, names: t.Iterable[str], operator: OperatorVariables) -> dict[str, t.Any]:
        return {name: self._untemplated(value, operator) for name, value in operator.find(names).items()}

    def _untemplated(self, value: t.Any, operator: OperatorVariables) -> t.Any:
        plain = isinstance(value, (bool, int, float)) or (isinstance(value, str) and "{{" not in value and "{%" not in value)
        return value if plain or self._templar is None else operator.resolve(value, self._templar)


#: Variables that would hold for all vendors, so they hold for none.
IGNORED = ("trackops_base_url", "trackops_token_url", "trackops_scope", "trackops_variant", "trackops_client_auth", "trackops_output", "trackops_refused")


def _any_ignored() -> bool:
    """Whether the environment or ansible.cfg may have a setting for all vendors."""
    if any(os.environ.get(name.upper()) for name in IGNORED):
        return True
    try:
        return bool(C.CONFIG_FILE) and "[trackops_api_tokens]" in read_text(C.CONFIG_FILE)
    except (OSError, ValueError):
        return True


# What was found before in this process, while its environment is the same. Most of a cache hit's time would else be ansible looking for
# the same values again, when a loop or a template asks for the tokens of a few vendors a hundred times.
_FOUND: dict[t.Any, t.Any] = {}
_MANY = 64
_ENVIRONMENT: list[t.Any] = [None]
_T = t.TypeVar("_T")


def _known(key: t.Any, find: t.Callable[[], _T]) -> _T:
    # To ask for each variable that an option has costs more than all else; CPython keeps them in one dictionary.
    now = getattr(os.environ, "_data", None)
    if now is None or now != _ENVIRONMENT[0] or len(_FOUND) >= _MANY:
        _FOUND.clear()
        _ENVIRONMENT[0] = dict(now or {})
    if key not in _FOUND:
        _FOUND[key] = find()
    found: _T = _FOUND[key]
    return found


def _present_all(requests: list[Request], values: dict[str, t.Any]) -> list[t.Any]:
    with Listener(display, audit_log=values.get("audit_log")) as listener:
        ports = real_ports(warn=listener.warn, event=listener)
        resolver = Resolver(ports)
        return [
            present(
                resolver.token(request),
                values["output"],
                vendor=request.vendor.name,
                scheme=request.vendor.authorization_scheme,
                now=ports.clock(),
            )
            for request in requests
        ]
