# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Variables as the operator set them, without what managed hosts say.

Ansible merges the facts of a host into its variables, above inventory, group_vars and host_vars. A host can send a fact of any name, with
any module. So a variable that also is a fact is looked up again, as Ansible would find it if that host had sent no such fact. Templates are
resolved the same way: a name in them that is a fact only means the fact where no operator can have meant anything else.

Within a task Ansible puts the facts of an answer above everything, in the variables of this task alone: for the next item of a loop, and for
``changed_when``, ``failed_when`` and ``until``. There a value that no operator's mark is on has to be what Ansible finds anew.
"""

from __future__ import annotations

import functools
import math
import multiprocessing
import re
import typing as t

from ansible import constants as C
from ansible.plugins.loader import cache_loader
from ansible.vars.hostvars import HostVars

from .trust import is_plainly_the_operators

try:  # which line of which file a value is from; with a fact cache on disk there is no other way to tell
    from ansible._internal._datatag._tags import Origin
except ImportError:  # ansible-core before 2.19
    Origin = None

try:  # since 2.21 a task has its items here
    from ansible._internal._task import TaskContext

    TaskContext._loop_items, TaskContext._loop_extended  # noqa: B018 (in 2.19 and 2.20 it has none)
except (ImportError, AttributeError):
    TaskContext = None

__all__ = ("OperatorVariables",)

Variables = t.Mapping[str, t.Any]

# The names that Ansible's own fact modules give. Templates may use them without "ansible_facts.", as long as the operator has no variable
# of that name.
_USUAL_FACTS = re.compile(r"ansible_(?!hashi_vault_)|facter_|ohai_|discovered_interpreter_|module_setup$|gather_subset$")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
# With these a template reaches variables whose names are not in it.
# They lead to variables whose names are not in the template.
_ANY_NAME = frozenset(("vars", "varnames", "hostvars", "template", "lookup", "query", "q", "include", "import", "extends", "from"))
# They answer on the controller: what they set in a task is the operator's.
_SETTERS = frozenset(f"{prefix}{name}" for prefix in ("", "ansible.builtin.", "ansible.legacy.") for name in ("set_fact", "include_vars"))


class OperatorVariables:
    """The operator's view of the variables that Ansible gave to one lookup or action.

    Nothing but a few dictionary look-ups happens where no fact has the name of a variable that is asked for.

    :arg warn: is told of each fact that is ignored; without the host's name, so that Ansible shows it once a run.
    """

    def __init__(self, variables: Variables | None, *, warn: t.Callable[[str], None]) -> None:
        self._all: Variables = {} if variables is None else variables
        self._warn = warn
        self._source = _Source.of(self._all)
        self.ignored: set[str] = set()

    def find(self, names: t.Iterable[str]) -> dict[str, t.Any]:
        """Those of *names* that the operator has set, as they are: templates are not resolved."""
        found = {name: self._all[name] for name in names if name in self._all}
        for name in [name for name in found if self._is_fact(name)]:
            self._ignore(name)
            del found[name]
            if name in self._without_facts:
                found[name] = self._without_facts[name]
        return found

    def resolve(self, value: t.Any, templar: t.Any) -> t.Any:
        """*value* of the operator with its templates resolved, by the operator's variables."""
        if (self._source.injected or self._source.answers) and self._reaches_facts(value):
            if Origin is None:  # before 2.19 the lookups of a copied templar have the variables of the first one
                with templar.set_temporary_context(available_variables=self._for_templates):
                    return templar.template(value)
            templar = templar.copy_with_new_env(available_variables=self._for_templates)
        return templar.template(value)

    def _ignore(self, name: str) -> None:
        self.ignored.add(name)
        self._warn(f"The fact '{name}' is ignored: facts come from managed hosts, and only the operator sets what trackops.api_tokens does.")

    def _is_fact(self, name: str) -> bool:
        value = self._all[name]
        return (self._source.injected and self._source.is_fact(name, value)) or self._is_answered(name)

    def _is_answered(self, name: str) -> bool:
        """Whether the variable *name* is not what Ansible finds anew, so that it is from an answer to this very task."""
        value, source = self._all[name], self._source
        if not source.answers or is_plainly_the_operators(value):
            return False
        own = self._without_facts
        if name in own:
            return not (own[name] is value or own[name] == value)
        return not source.is_set_by_task(name, value)

    def _reaches_facts(self, value: t.Any) -> bool:
        """Whether a fact may be behind a name in the templates of *value*, or in those of the variables that they use."""
        seen: set[str] = set()
        ahead = _identifiers(value)
        while ahead:
            name = ahead.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in _ANY_NAME or self._source.said(name):
                return True
            if name in self._all and self._is_answered(name) and (name in self._without_facts or not _USUAL_FACTS.match(name)):
                return True
            if name in self._all:
                ahead |= _identifiers(self._all[name])
        return False

    @functools.cached_property
    def _without_facts(self) -> Variables:
        found = _FOUND_ANEW.get(self._source.key) if self._source.answers else None
        if found is None:
            found = self._source.without_facts()
            if self._source.answers:  # the process ends with its task
                _FOUND_ANEW[self._source.key] = found
        return found

    @functools.cached_property
    def _for_templates(self) -> dict[str, t.Any]:
        """All variables, with the operator's own in the place of facts. What the task adds by itself, as C(item), stays."""
        own = self._without_facts
        if self._source.answers:
            names = [name for name in self._source.set_by_task if name in self._all and name not in own and not self._is_answered(name)]
            return {**own, **{name: self._all[name] for name in names}}
        variables = dict(self._all)
        for name in self._source.names():
            if name in variables and self._source.is_fact(name, variables[name]):
                if name in own:
                    variables[name] = own[name]
                elif not _USUAL_FACTS.match(name):
                    del variables[name]
        if "hostvars" in variables and "hostvars" in own:
            variables["hostvars"] = own["hostvars"]
        if "vars" in variables:
            variables["vars"] = {name: value for name, value in variables.items() if name != "vars"}
        return variables


_FOUND_ANEW: dict[t.Any, Variables] = {}


class _Source:
    """Where variables come from: Ansible's variable manager, and the host and the task that they are for, as far as they are known."""

    def __init__(self, manager: t.Any, host: t.Any, task: t.Any, variables: Variables, *, worker: bool) -> None:
        self._manager = manager
        self._host = host
        self._task = task
        self._variables = variables
        #: Whether a host may have answered to the task that is being worked on.
        self.answers = worker and host is not None and getattr(task, "action", None) not in _SETTERS
        self.key = (id(manager), getattr(host, "name", None), id(task))
        self._facts = self._find_facts()
        #: Whether any fact is among the variables by its own name.
        self.injected = bool(C.INJECT_FACTS_AS_VARS) and any(self._facts)

    @classmethod
    def of(cls, variables: Variables) -> _Source:
        process = multiprocessing.current_process()  # in a play, Ansible's own: it knows what it works on
        manager, host, task = (getattr(process, name, None) for name in ("_variable_manager", "_host", "_task"))
        worker = manager is not None and task is not None
        name = variables.get("inventory_hostname")
        if manager is None:
            manager = getattr(variables.get("hostvars"), "_variable_manager", None)
        # The variables need not be those of the worker's host: hostvars leads to those of others.
        if host is None or host.name is not name:
            other = _host_named(manager, name, worker=host)
            # No host has this name: it is what the worker's host answered to the task.
            host, task = (host, task) if worker and other is None else (other, None)
        return cls(manager, host, task, variables, worker=worker)

    @functools.cached_property
    def set_by_task(self) -> frozenset[str]:
        """The variables that Ansible sets while it works on the task."""
        control = getattr(self._task, "loop_control", None)
        names = ("item", "ansible_loop", getattr(control, "loop_var", None), getattr(control, "index_var", None), getattr(self._task, "register", None))
        return frozenset(name for name in names if isinstance(name, str) and name)

    def is_set_by_task(self, name: str, value: t.Any) -> bool:
        """Whether *value* is what Ansible has set: an answer may have a fact of that name, too."""
        if name not in self.set_by_task:
            return False
        if name == getattr(self._task, "register", None):
            return True  # the host's words in either case
        if TaskContext is not None:
            context = TaskContext.current()
            of_loop = [*(context._loop_items or ()), context._loop_extended, *range(len(context._loop_items or ()))]
        else:
            # The answer to an item is in a copy of these until the item is done; then comes the next item.
            of_loop = [getattr(multiprocessing.current_process(), "_task_vars", {}).get(name)]
        return any(value is own or value == own for own in of_loop)

    def _find_facts(self) -> list[Variables]:
        """The facts of the host. Where it is not known which it is, those of each."""
        if self._manager is None:
            # An inventory plugin, for example: of the facts there are only those that were kept on disk or on a server.
            cache = None if C.CACHE_PLUGIN in ("memory", "ansible.builtin.memory") else cache_loader.get(C.CACHE_PLUGIN)
            seen = self._variables.get("ansible_facts")
            own: list[Variables] = [{**seen, **{f"ansible_{name}": value for name, value in seen.items()}}] if isinstance(seen, t.Mapping) else []
            return own if cache is None else [*own, *(_facts(cache, name) for name in list(cache.keys()))]
        cache = self._manager._fact_cache
        return [_facts(cache, name) for name in ([self._host.name] if self._host else list(cache.keys()))]

    def said(self, name: str) -> bool:
        return any(name in facts for facts in self._facts)

    def names(self) -> set[str]:
        return {name for facts in self._facts for name in facts}

    def is_fact(self, name: str, value: t.Any) -> bool:
        """Whether *value*, which the variable *name* has, may be from a fact: a different one is from something that Ansible puts above facts."""
        for facts in self._facts:
            if name in facts:
                fact = facts[name]
                merged = C.DEFAULT_HASH_BEHAVIOUR == "merge" and isinstance(fact, t.Mapping)
                if merged or value is fact or value == fact or (isinstance(value, float) and math.isnan(value)):
                    return True
        return False

    def without_facts(self) -> Variables:
        """The variables as Ansible would find them without facts; empty where it is not known for what."""
        if self._manager is None or self._host is None:
            return {}
        without_any = self._copy_of_manager(keep=lambda _host, _name: False)

        @functools.cache
        def inventory_of(name: str) -> Variables:
            host = self._host if name == self._host.name else self._manager._inventory.get_host(name)
            found: Variables = without_any.get_vars(host=host, include_hostvars=False) if host else {}
            return found

        inventory = inventory_of(self._host.name)
        # Which files of variables there are may depend on facts: vars_files: ["{{ ansible_distribution }}.yml"].
        manager = self._copy_of_manager(keep=lambda host, name: bool(_USUAL_FACTS.match(name)) and name not in inventory_of(host))
        found: Variables = manager.get_vars(play=self._task.get_play() if self._task else None, host=self._host, task=self._task)
        return {name: value for name, value in found.items() if name in inventory or not _USUAL_FACTS.match(name) or not self.is_fact(name, value)}

    def _copy_of_manager(self, *, keep: t.Callable[[str, str], bool]) -> t.Any:
        manager = object.__new__(type(self._manager))  # to copy it properly would leave out what is not to be pickled
        manager.__dict__.update(self._manager.__dict__)
        cache = manager._fact_cache
        manager._fact_cache = _FewFacts(cache, keep)
        manager._nonpersistent_fact_cache = {
            host: _without_cacheable(variables, _facts(cache, host)) for host, variables in manager._nonpersistent_fact_cache.items()
        }
        if manager._hostvars is not None:
            HostVars(manager._inventory, manager, manager._loader)  # makes itself the manager's
        return manager


def _without_cacheable(variables: Variables, facts: Variables) -> dict[str, t.Any]:
    """Registered and set variables, without those of a C(set_fact) with C(cacheable): Ansible puts these among the facts as well."""
    return {name: value for name, value in variables.items() if name not in facts or not _set_together(value, facts[name])}


def _set_together(value: t.Any, fact: t.Any) -> bool:
    """Whether both come from the same task. An equal value is not enough to tell: a host may send what the operator has set."""
    if value is fact:  # of some values there is only one object for all
        return not (value is None or isinstance(value, (bool, int)) or (isinstance(value, str) and len(value) < 2))
    origin = Origin.get_tag(value) if Origin else None
    return origin is not None and origin == Origin.get_tag(fact) and bool(value == fact)


class _FewFacts:
    """A fact cache for reading, with those facts only that are to be kept."""

    def __init__(self, cache: t.Any, keep: t.Callable[[str, str], bool]) -> None:
        self._cache = cache
        self._keep = keep

    def get(self, host: str, default: t.Any = None) -> dict[str, t.Any]:
        return {name: value for name, value in _facts(self._cache, host).items() if self._keep(host, name)}


def _facts(cache: t.Any, host: str) -> Variables:
    try:
        found = cache.get(host)
    except KeyError:  # since 2.19
        found = None
    return found if isinstance(found, t.Mapping) else {}


def _host_named(manager: t.Any, name: t.Any, *, worker: t.Any) -> t.Any:
    """The host that variables with this C(inventory_hostname) are for, or None."""
    if manager is None or not isinstance(name, str):
        return None
    host = manager._inventory.get_host(name)
    # Ansible takes the name from the host. A host can send a fact "inventory_hostname", too, but not this very object.
    if host is not None and host.name is name:
        return host
    hosts = ([worker] if worker is not None else []) + list(manager._inventory.get_hosts("all", ignore_limits=True, ignore_restrictions=True))
    fitting = [host for host in hosts if _facts(manager._fact_cache, host.name).get("inventory_hostname") == name]
    # Several hosts may say that this is their name: then it may be any of them.
    return fitting[0] if len({host.name for host in fitting}) == 1 else None


def _identifiers(value: t.Any) -> set[str]:
    """The words in the templates of *value*."""
    if isinstance(value, str):
        return set(_IDENTIFIER.findall(value)) if "{{" in value or "{%" in value else set()
    if isinstance(value, t.Mapping):
        return set().union(*(_identifiers(part) for pair in value.items() for part in pair))
    if isinstance(value, (list, tuple)):
        return set().union(*map(_identifiers, value))
    if value is None or isinstance(value, (bool, int, float)):
        return set()
    return _identifiers(f"{value}")  # encrypted with ansible-vault
