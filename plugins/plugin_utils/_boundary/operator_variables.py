# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The variables that the operator set, without values from managed hosts.

Ansible merges the facts of a host into its variables, above inventory, group_vars and host_vars. A host can send a fact of any name with
any module. Within a task, Ansible puts the facts of an answer above everything, but only in the variables of this task.

So a value that may be a fact is never used, or compared with a fact. A value is accepted if it has a mark that only the operator's texts
have, or comes from Ansible's executor (a loop item), or from Ansible's own computation of the variables of this host and task as if no
host had ever sent a fact. If the host is not known, this is an error: otherwise some of the operator's settings would be ignored.
"""

from __future__ import annotations

import functools
import inspect
import multiprocessing
import re
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleOptionsError, AnsibleUndefinedVariable
from ansible.executor.play_iterator import PlayIterator
from ansible.executor.task_executor import TaskExecutor
from ansible.inventory.host import Host
from ansible.playbook.task import Task
from ansible.plugins.loader import cache_loader
from ansible.utils.unsafe_proxy import wrap_var
from ansible.vars.clean import namespace_facts
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from .._base.errors import coded
from .trust import is_from_operator

try:  # the file and line that a value comes from; with a fact cache on disk, only these identify it
    from ansible._internal._datatag._tags import Origin
except ImportError:  # ansible-core before 2.19
    Origin = None

try:  # since 2.21 this has a task's items
    from ansible._internal._task import TaskContext

    TaskContext._loop_var, TaskContext._item, TaskContext._index_var, TaskContext._item_index, TaskContext._loop_extended  # noqa: B018
except (ImportError, AttributeError):  # not in 2.19 and 2.20
    TaskContext = None

__all__ = ("OperatorVariables",)

Variables = t.Mapping[str, t.Any]

# The names of Ansible's own fact modules: names of vars_files may use them without "ansible_facts.".
_USUAL_FACTS = re.compile(r"(?:ansible_(?!hashi_vault_)|facter_|ohai_)\w+")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
# With these, a template can reach variables that it does not name.
_ANY_NAME = frozenset(("vars", "varnames", "hostvars", "template", "lookup", "query", "q", "include", "import", "extends", "from"))
# They run on the controller: the values that they set in a task are the operator's.
_SETTERS = frozenset(f"{prefix}{name}" for prefix in ("", "ansible.builtin.", "ansible.legacy.") for name in ("set_fact", "include_vars"))
# The local names in Ansible's functions for the host and the task whose templates they resolve.
_HOST_NAMES = ("host", "original_host", "conditional_host", "h")
_TASK_NAMES = ("task", "original_task")


class OperatorVariables:
    """The operator's values among the variables that Ansible passed to one lookup or action.

    :arg warn: called for each ignored fact; the text has no host name, so that Ansible shows it once per run.
    """

    def __init__(self, variables: Variables | None, *, warn: t.Callable[[str], None]) -> None:
        self._all: Variables = {} if variables is None else variables
        self._warn = warn
        self.ignored: set[str] = set()

    @functools.cached_property
    def _source(self) -> _Source:
        return _Source.of(self._all)

    def find(self, names: t.Iterable[str]) -> dict[str, t.Any]:
        """Those of *names* that the operator has set, with unresolved templates.

        :raises AnsibleOptionsError: one of them may be a fact, and the host of the variables is not known.
        """
        found = {name: self._all[name] for name in names if name in self._all}
        if not (C.INJECT_FACTS_AS_VARS and found):
            return found
        own = {name: value for name in found for value in self._operators(name)}
        if len(own) < len(found) and not self._source.known:
            message = "A fact has the same name as a variable that is set. The host of these variables is not known, so none of them is used."
            raise AnsibleOptionsError(coded(message, "option:value"))
        for name, value in found.items():
            if not (name in own and own[name] is value) and (self._source.is_fact_name(name) or name not in own or own[name] != value):
                self.ignored.add(name)
                self._warn(f"The fact '{name}' is ignored: facts come from managed hosts, and only the operator configures trackops.api_tokens.")
        return own

    def resolve(self, value: t.Any, templar: t.Any) -> t.Any:
        """The operator's *value* with its templates resolved, using only the operator's variables.

        :raises AnsibleOptionsError: a template uses a fact by its bare name.
        """
        if not C.INJECT_FACTS_AS_VARS or not self._may_reach_facts(value):
            return templar.template(value)
        variables = self._for_templates
        try:
            if Origin is None:  # before 2.19 the lookups of a copied templar have the variables of the original
                with templar.set_temporary_context(available_variables=variables):
                    return templar.template(value)
            return templar.copy_with_new_env(available_variables=variables).template(value)
        except AnsibleUndefinedVariable:
            facts = sorted(name for name in self._reached(value) if name in self._all and name not in variables)
            if not facts:
                raise
            instead = f"ansible_facts.{facts[0][8:] if facts[0].startswith('ansible_') else facts[0]}"
            message = f"A template for an option uses '{facts[0]}', which is a fact, and hosts must not set options. If the host may decide, write {instead}."
            raise AnsibleOptionsError(coded(message, "option:value")) from None

    def _operators(self, name: str) -> list[t.Any]:
        """The value of the variable *name* in a list; an empty list if the operator has not set it."""
        value, source = self._all[name], self._source
        if name in source.of_task:
            return [source.of_task[name]]
        # A cacheable set_fact also has the operator's mark.
        if not source.is_fact_name(name) and (source.is_marked(value) or not source.may_hold_answer):
            return [value]
        return [source.without_facts[name]] if name in source.without_facts else []

    def _may_reach_facts(self, value: t.Any) -> bool:
        """Whether a name in the templates of *value*, or in those of the variables that they use, may be a fact."""
        return any(
            name in _ANY_NAME or (name in self._all and (self._source.is_fact_name(name) or not self._source.is_marked(self._all[name])))
            for name in self._reached(value)
        )

    def _reached(self, value: t.Any) -> set[str]:
        seen: set[str] = set()
        ahead = _identifiers(value)
        while ahead:
            name = ahead.pop()
            seen.add(name)
            ahead |= _identifiers(self._all.get(name)) - seen
        return seen

    @functools.cached_property
    def _for_templates(self) -> dict[str, t.Any]:
        """All of the operator's variables, and those that the task adds, such as C(item)."""
        return {**self._source.without_facts, **{name: value for name in self._all if name not in _CONTAINERS for value in self._operators(name)}}


# These contain other variables, and Ansible creates new ones for each set of variables.
_CONTAINERS = ("vars", "hostvars", "ansible_facts", "ansible_delegated_vars")


class _Source:
    """The origin of variables: Ansible's variable manager, and their host, task and play, if known.

    :arg executing: a worker executes the task, and these are its variables: they may contain a host's answer to it.
    :arg factless: the variables cannot contain facts.
    """

    def __init__(
        self, variables: Variables, manager: t.Any, whose: tuple[t.Any, t.Any, t.Any] = (None, None, None), *, executing: bool = False, factless: bool = False
    ) -> None:
        self._variables = variables
        self._manager = manager
        self._host, self._task, self._play = whose
        self._executing = executing
        self._factless = factless
        self.known = factless or self._host is not None
        self.may_hold_answer = executing and self._task.action not in _SETTERS

    @classmethod
    def of(cls, variables: Variables) -> _Source:
        process: t.Any = multiprocessing.current_process()  # in a play, Ansible's worker, which knows its task
        manager: t.Any = getattr(process, "_variable_manager", None)
        worker = manager is not None and getattr(process, "_task", None) is not None
        whose = (process._host, process._task, process._task.get_play()) if worker else (None, None, None)
        hostvars: t.Any = variables.get("hostvars")
        of_task = isinstance(hostvars, HostVars)  # no host can send such an object, and Ansible adds it only to the variables of tasks
        if not worker:
            manager, whose = _resolving(variables, hostvars._variable_manager if of_task else None)
        # Ansible adds facts by their names only together with ansible_facts, and only to the variables of a host.
        if manager is not None and ("ansible_facts" not in variables or (of_task and isinstance(hostvars._variable_manager, _Factless))):
            return cls(variables, manager, factless=True)
        if manager is None:  # an inventory plugin, for example
            return cls(variables, None)
        for name, delegated in _mapping(_mapping(getattr(process, "_task_vars", None)).get("ansible_delegated_vars")).items():
            if delegated is variables:  # for the connection to a task's delegated host
                return cls(variables, manager, (manager._inventory.get_host(name) or Host(name), *whose[1:]))
        if of_task:
            return cls(variables, manager, whose, executing=worker)
        other = _host_of(variables, manager)
        return cls(variables, manager, whose, executing=True) if worker and other is whose[0] else cls(variables, manager, (other, None, None))

    def is_marked(self, value: t.Any) -> bool:
        """Whether the value itself shows that the operator set it. Facts that inventory plugins read have no mark of Ansible yet."""
        return self._factless or (self._manager is not None and is_from_operator(value))

    @functools.cached_property
    def of_task(self) -> Variables:
        """The variables that Ansible sets while it executes the task, read from its own objects, which never contain a host's answer."""
        return _of_task(self._task, self._variables, self.is_fact_name) if self._executing else {}

    @functools.cached_property
    def _facts(self) -> list[Variables]:
        """The facts of the host; those of every host if the host is not known."""
        if self._manager is None:  # only facts in a cache on disk or on a server are left
            cache = None if C.CACHE_PLUGIN in ("memory", "ansible.builtin.memory") else cache_loader.get(C.CACHE_PLUGIN)
        else:
            cache = self._manager._fact_cache
        names = [self._host.name] if self._host is not None else [] if cache is None else list(cache.keys())
        return [_facts(cache, name) for name in names]

    def is_fact_name(self, name: str) -> bool:
        """Whether a fact has this name. The value does not matter: Ansible changes a fact's value before it becomes a variable."""
        if self._factless:
            return False
        seen = _mapping(self._variables.get("ansible_facts"))  # the cache may have dropped a fact that is still in the variables
        return any(name in facts for facts in self._facts) or name in seen or (name.startswith("ansible_") and name[8:] in seen)

    @functools.cached_property
    def without_facts(self) -> Variables:
        """The variables that Ansible would compute if no host had sent a fact; empty if the host is not known."""
        if self._factless:
            return self._variables
        if self._host is None:
            return {}
        key = (id(self._manager), self._host.name, id(self._task), id(self._play))
        if not self._executing or key not in _RECOMPUTED:
            _RECOMPUTED.clear()
            _RECOMPUTED[key] = _Factless.of(self._manager).get_vars(play=self._play, host=self._host, task=self._task)
        return _RECOMPUTED[key]


# Only the latest: a worker ends with its task, and hardly needs others.
_RECOMPUTED: dict[t.Any, Variables] = {}


class _Factless(VariableManager):  # type: ignore[misc]
    """A read-only variable manager without facts as variables; C(ansible_facts) still has them, for explicit use."""

    _with_facts: t.Any
    _extra_vars: dict[str, t.Any]
    _fact_cache: t.Any

    @classmethod
    def of(cls, manager: t.Any) -> _Factless:
        made = object.__new__(cls)  # copy.copy would drop attributes that are not pickled
        made.__dict__.update(manager.__dict__)
        made._with_facts = manager
        cache = manager._fact_cache
        made._nonpersistent_fact_cache = {host: _without_cacheable(values, _facts(cache, host)) for host, values in manager._nonpersistent_fact_cache.items()}
        if manager._hostvars is not None:
            HostVars(manager._inventory, made, manager._loader)  # registers itself with the manager
        return made

    def get_vars(self, play: t.Any = None, host: t.Any = None, task: t.Any = None, **more: t.Any) -> dict[str, t.Any]:
        facts = {} if host is None else _facts(self._with_facts._fact_cache, host.name)
        given = self._extra_vars, self._fact_cache
        # Takes the place of the removed facts, for templates and for names of vars_files.
        self._extra_vars = {"ansible_facts": wrap_var(namespace_facts(facts)["ansible_facts"]), **self._with_facts._extra_vars}
        try:
            self._fact_cache = _OnlyFacts({})
            files = _USUAL_FACTS.findall(repr(play.get_vars_files())) if facts and play is not None else []
            if not any(name in facts for name in files):
                found: dict[str, t.Any] = super().get_vars(play=play, host=host, task=task, **more)
                return found
            # vars_files: ["{{ ansible_distribution }}.yml"] means the fact, unless the operator has a variable of this name.
            lower = super().get_vars(host=host, task=task, include_hostvars=False)
            bare = {name: facts[name] for name in files if name in facts and name not in lower and name not in play.get_vars()}
            self._fact_cache = _OnlyFacts(bare)
            found = super().get_vars(play=play, host=host, task=task, **more)
            return {name: value for name, value in found.items() if name not in bare or is_from_operator(value)}
        finally:
            self._extra_vars, self._fact_cache = given


class _OnlyFacts:
    """A read-only fact cache with the same facts for every host."""

    def __init__(self, facts: dict[str, t.Any]) -> None:
        self._facts = facts

    def get(self, _host: str, _default: t.Any = None) -> dict[str, t.Any]:
        return self._facts


def _without_cacheable(variables: Variables, facts: Variables) -> dict[str, t.Any]:
    """Registered and set variables, without those of a C(set_fact) with C(cacheable), which Ansible also adds to the facts."""
    return {name: value for name, value in variables.items() if name not in facts or not _set_together(value, facts[name])}


def _set_together(value: t.Any, fact: t.Any) -> bool:
    """Whether both come from the same task. Equal values do not prove that: a host may send the operator's value."""
    if value is fact:  # but Python shares a single object for some values
        return not (value is None or isinstance(value, (bool, int)) or (isinstance(value, str) and len(value) < 2))
    origin = Origin.get_tag(value) if Origin else None
    return origin is not None and origin == Origin.get_tag(fact) and bool(value == fact)


def _facts(cache: t.Any, host: str) -> Variables:
    try:
        return _mapping(cache.get(host))
    except KeyError:  # since 2.19
        return {}


def _mapping(value: t.Any) -> Variables:
    return value if isinstance(value, t.Mapping) else {}


def _frames() -> t.Iterator[tuple[str, Variables]]:
    """The names and local variables of the functions on the call stack, innermost first."""
    frame = inspect.currentframe()
    while frame is not None:
        yield frame.f_code.co_name, frame.f_locals
        frame = frame.f_back


def _resolving(variables: Variables, manager: t.Any) -> tuple[t.Any, tuple[t.Any, t.Any, t.Any]]:
    """The manager, and the host, task and play, whose templates Ansible's main process resolves, such as names of tasks.

    Only the function that resolves them has these.
    """
    for _function, names in _frames():
        host = next((names[name] for name in _HOST_NAMES if isinstance(names.get(name), Host)), None)
        task = next((names[name] for name in _TASK_NAMES if isinstance(names.get(name), Task)), None)
        iterator = names.get("iterator")
        if host is not None and task is not None and isinstance(iterator, PlayIterator):
            manager = manager or names.get("variable_manager") or getattr(names.get("self"), "_variable_manager", None)
            # The variables may nevertheless be another host's, requested by a callback plugin.
            fits = variables.get("inventory_hostname") is host.name or "inventory_hostname" in _facts(getattr(manager, "_fact_cache", {}), host.name)
            return manager, (host, task, iterator._play) if fits else (None, None, None)
    return manager, (None, None, None)


def _host_of(variables: Variables, manager: t.Any) -> t.Any:
    """The host of variables without a task, such as those behind C(hostvars); None if it cannot be determined."""
    name = variables.get("inventory_hostname")
    if not isinstance(name, str):
        return None
    host = manager._inventory.get_host(name)
    # Ansible takes the name from the host object. A host can send a fact of this name, but not this very object.
    named = [host] if host is not None and host.name is name else []
    if named and len(name) > 1:  # Python shares a single object for each one-letter string
        return host
    if "environment" in variables:  # only a task's variables have it, and a host may have sent the name within that task
        return None
    hosts = manager._inventory.get_hosts("all", ignore_limits=True, ignore_restrictions=True)
    fitting = [*named, *(host for host in hosts if _facts(manager._fact_cache, host.name).get("inventory_hostname") == name)]
    # If several hosts claim this name, it may be any of them.
    return fitting[0] if len({host.name for host in fitting}) == 1 else None


def _of_task(task: t.Any, variables: Variables, is_fact_name: t.Callable[[str], bool]) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {}
    registered = [task.register] if isinstance(task.register, str) else list(_mapping(task.register))
    found.update({name: variables[name] for name in registered if name in variables and not is_fact_name(name)})  # hosts decide these values anyway
    if TaskContext is not None:
        context = TaskContext.current()
        if not context._loop_var:
            return found
        extended, index, item = context._loop_extended, {context._index_var: context._item_index}, {context._loop_var: context._item}
    else:
        within = False  # set in the frame that executes this item, on a copy of the variables: no answer is in it yet
        for function, names in _frames():
            if isinstance(names.get("self"), TaskExecutor):
                within = within or function == "_execute"
                if function == "_run_loop" and "item" in names:
                    kept = _mapping(getattr(multiprocessing.current_process(), "_task_vars", None))
                    extended = kept.get("ansible_loop") if within and names.get("extended") else None
                    index, item = {names["index_var"]: names["item_index"]}, {names["loop_var"]: names["item"]}
                    break
        else:
            return found
    return {**found, **({} if extended is None else {"ansible_loop": extended}), **{name: value for name, value in index.items() if name}, **item}


def _identifiers(value: t.Any) -> set[str]:
    """The identifiers in the templates of *value*."""
    if isinstance(value, str):
        return set(_IDENTIFIER.findall(value)) if "{{" in value or "{%" in value else set()
    if isinstance(value, t.Mapping):
        return set().union(*(_identifiers(part) for pair in value.items() for part in pair))
    if isinstance(value, (list, tuple)):
        return set().union(*map(_identifiers, value))
    if value is None or isinstance(value, (bool, int, float)):
        return set()
    return _identifiers(f"{value}")  # encrypted with ansible-vault
