# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The base of the lookups: option values, and tokens that are fresh in the cache.

Ansible forks a worker for each host and task, and each compiles its imports. So this file imports only what a cache hit needs; the rest
is in ``full_lookup`` and imported on demand. The actions resolve options through the vendor's lookup, so from the same sources.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import time
import typing as t

from ansible import constants as C
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from .._base.output import present
from .._cache.directory import KEY_FILE, Directory, file_state, own_path
from .._cache.pointer import cached, pointer_keys
from .._vault.login_input import read_text
from .listeners import has_listeners
from .omitted import is_omitted, refuse_replaced, resolved, without_omitted
from .pointer_input import pointer_input
from .trust import is_from_operator

if t.TYPE_CHECKING:
    from .._cache.crypto import Keys
    from .operator_variables import OperatorVariables

__all__ = ("TokenLookup",)

display = Display()

Values = t.Mapping[str, t.Any]

_DEFINITIONS = os.path.join(os.path.dirname(__file__), "option_definitions")

# Settable on a single lookup only, never globally.
_PER_LOOKUP = ("trackops_output", "trackops_refused")
# Arguments that Ansible may pass to a lookup, depending on its version and the call.
_ANSIBLES_OWN = ("wantlist", "allow_unsafe", "errors")
_EMPTY_COUNTS_AS_UNSET = ("ANSIBLE_HASHI_VAULT_", "TRACKOPS_", "AWS_", "EC2_")


def _our_errors() -> type[Exception]:
    """Imported only after an error: a cache hit does not need it."""
    from .._base.errors import TokenError

    return TokenError


class TokenLookup(LookupBase):  # type: ignore[misc]
    """A lookup for tokens; a subclass only names the vendor."""

    vendor: str

    def __init_subclass__(cls) -> None:
        """Give Ansible the option definitions, so that it need not parse the documentation for them, which takes longer than everything else.

        The files are generated from the documentation. Without one, or with another Ansible configuration, Ansible parses.
        """
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError), open(f"{_DEFINITIONS}/{cls.vendor}.json", encoding="utf-8") as file:
            if not C.config.has_configuration_definition("lookup", cls.__module__):
                C.config.initialize_plugin_configuration_definitions("lookup", cls.__module__, json.load(file))

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        try:
            terms = [term for term in terms if not is_omitted(term)]
            values = self.raw_options(variables, {name: value for name, value in kwargs.items() if name not in _ANSIBLES_OWN})
            return self._cached_or_none(terms, values) or self._obtained(terms, values, kwargs)
        except Exception as exc:
            from .full_lookup import as_ansible

            failed = as_ansible(exc)
            if failed is None:
                raise
            # "from exc" would also print the texts of its causes, whatever they contain.
            raise failed from None

    def _obtained(self, terms: list[t.Any], values: Values, direct: Values) -> list[t.Any]:
        from .full_lookup import tokens

        return tokens(self.vendor, terms, values, direct)

    def _cached_or_none(self, terms: list[t.Any], values: Values) -> list[t.Any] | None:
        try:
            return self._cached(terms, values)
        except _our_errors():
            return None  # the full path fails in the same way, and its error names the vendor and the Vault path

    def _cached(self, terms: list[t.Any], values: Values) -> list[t.Any] | None:
        """The results if every token is fresh in the cache; None otherwise or if in doubt."""
        began, now = time.monotonic(), time.time()
        if values.get("force") or values.get("refused") or values.get("cache") == "none":
            return None
        min_ttl, max_age = values.get("min_ttl"), values.get("max_age")
        if not (_is_seconds(min_ttl) and (max_age is None or _is_seconds(max_age)) and all(isinstance(term, str) for term in terms)):
            return None
        hits = []
        for term in terms or [None]:
            place = self._place(term, values)
            hit = cached(*place, min_ttl=min_ttl or 0, max_age=max_age, now=now) if place else None
            if hit is None:
                return None
            hits.append(hit)
        if any(token.expires_at - token.issued_at < (min_ttl or 0) for token, _found in hits):
            from .full_lookup import warn_short_lifetimes

            warn_short_lifetimes(hits, min_ttl=min_ttl or 0)
        if has_listeners(verbosity=display.verbosity, audit_log=values.get("audit_log")):
            from .full_lookup import report_hits

            report_hits(hits, values, seconds=time.monotonic() - began)
        return [present(token, values["output"], vendor=found.vendor, scheme=found.scheme, now=now) for token, found in hits]

    def _place(self, term: str | None, values: Values) -> tuple[Directory, Keys] | None:
        """The place of the pointer for these values; computed again if a file that it depends on was replaced."""
        # Keyed by id(); keep the values alive, because ids of collected objects are reused.
        key = ("place", id(values), term)
        known, states, place = _FOUND.get(key) or (None, (), None)
        if known is not values or any(file_state(path) != state for path, state in states):
            states, place = self._find_place(term, values)
            _FOUND[key] = (values, states, place)
        return place

    def _find_place(self, term: str | None, values: Values) -> tuple[list[tuple[str, t.Any]], tuple[Directory, Keys] | None]:
        directory = Directory(own_path(str(values.get("cache_path") or "")))
        user_key_path = os.path.join(directory.path, KEY_FILE)
        files = [(user_key_path, file_state(user_key_path))]
        user_key = directory.known_key()
        given = pointer_input(self.vendor, values, files=files) if user_key else None
        keys = pointer_keys(user_key, given[0], [term, given[1]]) if user_key and given else None
        return files, (directory, keys) if keys else None

    # Option values

    def resolved_options(self, variables: t.Any, direct: dict[str, t.Any]) -> dict[str, t.Any]:
        """The values of all options: direct, variables, environment, ini, default; templates in variables are resolved."""
        from .full_lookup import with_dictionaries

        return with_dictionaries(self.vendor, self.raw_options(variables, direct))

    def raw_options(self, variables: t.Any, direct: dict[str, t.Any]) -> Values:
        """Like :meth:`resolved_options`, but dictionaries may still be strings. Do not modify: the object is shared."""
        refuse_replaced(variables)
        direct = without_omitted(direct)
        operator = _Variables(variables)
        self._warn_about_ignored(operator)
        given = self.given_variables(operator)
        values = _known(("options", self.vendor, repr(direct), repr(given)), lambda: self._resolve(given, direct))
        if self.vendor != "oauth2" or values.get("vendor") in (None, "", "oauth2"):
            return values
        from .vendor_settings import with_own_settings

        key, own, find = with_own_settings(values, self.option_definitions, direct, variables=lambda names: self.set_variables(names, operator))
        return _known(("own", key, repr(direct), repr(given), repr(own)), find)

    def _resolve(self, variables: dict[str, t.Any], direct: dict[str, t.Any]) -> dict[str, t.Any]:
        definitions = self.option_definitions
        # Ansible ignores unknown options of a lookup, so a typo would pass unnoticed.
        if not direct.keys() <= {alias for name, about in definitions.items() for alias in (name, *(about.get("aliases") or ()))}:
            from .full_lookup import reject_unknown_options

            reject_unknown_options(self.vendor, definitions, direct)
        # Ansible treats an empty environment variable as set, so that it overrides ansible.cfg.
        empty = [name for name, value in os.environ.items() if not value and name.startswith(_EMPTY_COUNTS_AS_UNSET)]
        for name in empty:
            del os.environ[name]
        try:
            self.set_options(var_options=variables, direct=direct)
        except Exception as exc:  # noqa: BLE001 (reworded if it is one of Ansible's)
            from .full_lookup import option_error

            raise option_error(self.vendor, definitions, exc, direct=direct, variables=variables) from None
        finally:
            os.environ.update(dict.fromkeys(empty, ""))
        values: dict[str, t.Any] = self.get_options()
        return values

    def _warn_about_ignored(self, operator: _Variables) -> None:
        """Warn about ignored settings that would apply to all vendors."""
        own = f"trackops_{self.vendor}_"
        names = _known(("for all", self.vendor), lambda: [*("trackops_" + n[len(own) :] for n in self._variable_names() if n.startswith(own)), *_PER_LOOKUP])
        variables = operator.find(names)
        if bool(variables) or _known(("ignored", self.vendor), lambda: _any_set(names)):
            from .vendor_settings import ignored_settings

            for line in ignored_settings(os.environ, variables, [name.removeprefix("trackops_") for name in names]):
                display.warning(line)

    def _variable_names(self) -> list[str]:
        """The names of the variables that options are read from."""
        return _known(("variables", self.vendor), lambda: [entry["name"] for about in self.option_definitions.values() for entry in about.get("vars") or ()])

    def given_variables(self, operator: _Variables) -> dict[str, t.Any]:
        """The variables that options are read from. Ansible checks types, so templates must be resolved first."""
        return self.set_variables(self._variable_names(), operator)

    def set_variables(self, names: t.Iterable[str], operator: _Variables) -> dict[str, t.Any]:
        found = {name: self._untemplated(value, operator) for name, value in operator.find(names).items()}
        return {name: values[0] for name, values in found.items() if values}

    def _untemplated(self, value: t.Any, operator: _Variables) -> list[t.Any]:
        plain = isinstance(value, (bool, int, float)) or (isinstance(value, str) and "{{" not in value and "{%" not in value)
        return resolved(lambda: value if plain or self._templar is None else operator.resolve(value, self._templar))


class _Variables:
    """The operator's variables; loads more code only if a requested variable is set."""

    def __init__(self, variables: t.Mapping[str, t.Any] | None) -> None:
        self._all = variables or {}
        self._operator: OperatorVariables | None = None

    def find(self, names: t.Iterable[str]) -> dict[str, t.Any]:
        found = {name: self._all[name] for name in names if name in self._all}
        return found if not found or self._no_fact_is_among(found) else self._loaded().find(found)

    def _no_fact_is_among(self, found: t.Mapping[str, t.Any]) -> bool:
        """Whether certainly none of these values comes from the host."""
        if not C.INJECT_FACTS_AS_VARS:
            return True
        worker = multiprocessing.current_process()  # in a play, Ansible's worker, which knows its task
        manager, host = (getattr(worker, name, None) for name in ("_variable_manager", "_host"))
        if manager is None:
            return "hostvars" not in self._all and not self._all.get("ansible_facts") and C.CACHE_PLUGIN in ("memory", "ansible.builtin.memory")
        if host is None or host.name is not self._all.get("inventory_hostname"):
            return False
        try:
            facts = manager._fact_cache.get(host.name)
        except KeyError:  # since 2.19, if there are none
            facts = None
        # Within a task Ansible adds the host's answer only to the variables, not to the fact cache: for the next item, changed_when and until.
        return not (facts and any(name in found for name in facts)) and all(map(is_from_operator, found.values()))

    def resolve(self, value: t.Any, templar: t.Any) -> t.Any:
        return self._loaded().resolve(value, templar)

    def _loaded(self) -> OperatorVariables:
        if self._operator is None:
            from .operator_variables import OperatorVariables

            self._operator = OperatorVariables(self._all, warn=display.warning)
        return self._operator


def _is_seconds(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")


def _any_set(names: t.Iterable[str]) -> bool:
    """Whether the environment or ansible.cfg may have a setting for all vendors."""
    if any(os.environ.get(name.upper()) for name in names):
        return True
    try:
        return bool(C.CONFIG_FILE) and "[trackops_api_tokens]" in read_text(C.CONFIG_FILE)
    except (OSError, ValueError):
        return True


# Earlier results of this process, valid while its environment is unchanged. Without them, a loop or template that requests a few vendors'
# tokens a hundred times would spend most of its time in ansible's option resolution.
_FOUND: dict[t.Any, t.Any] = {}
_MANY = 64
_ENVIRONMENT: list[t.Any] = [None]
_T = t.TypeVar("_T")


def _known(key: t.Any, find: t.Callable[[], _T]) -> _T:
    # Reading each option's environment variable would cost more than everything else; CPython keeps them all in one dictionary.
    now = getattr(os.environ, "_data", None)
    if now is None or now != _ENVIRONMENT[0] or len(_FOUND) >= _MANY:
        _FOUND.clear()
        _ENVIRONMENT[0] = dict(now or {})
    if key not in _FOUND:
        _FOUND[key] = find()
    found: _T = _FOUND[key]
    return found
