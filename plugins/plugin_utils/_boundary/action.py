# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The base of the actions: get tokens for task arguments, with the option resolution of the vendor's lookup."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field, replace

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible.utils.display import Display

from .._base.errors import OptionError, TokenError
from .._base.model import Request, Token
from .._base.output import details
from .._base.ports import Ports
from .._flow.resolver import Resolver
from .._hosts.files import item_places
from .._text.one_line import one_line
from .._vendors import names
from .events import Listener
from .lookup import TokenLookup
from .options import requests_from, surroundings
from .preload import COLLECTION, preload
from .real_ports import real_ports
from .suggestion import nearest_option

__all__ = (
    "HiddenArguments",
    "Resolved",
    "TokenAction",
    "asked_path",
    "display",
    "failed_action",
    "flag",
    "interpreter_fact",
    "list_name",
    "module_result",
    "option_names",
    "pipelined",
)

display = Display()
_ANSIBLE_TASK_DIRECTORY = "-tmp-"  # part of the name of each directory that Ansible creates for one task, and removes after it


def option_names(plugin: str) -> set[str]:
    """The options of a lookup that describe a token, with their aliases."""
    options = lookup_loader.get(COLLECTION + plugin).option_definitions
    return {alias for name, about in options.items() for alias in (name, *(about.get("aliases") or ()))} - {"output"}


def _place(wrong: t.Sequence[t.Mapping[str, t.Any]], items: t.Sequence[t.Mapping[str, t.Any]], named: str) -> str:
    """How messages name the first of *items* that is also in *wrong*; empty if none is."""
    return next((place for place, item in zip(item_places(items, called=named), items, strict=True) if any(item is one for one in wrong)), "")


def asked_path(item: t.Mapping[str, t.Any]) -> str:
    """The Vault path in *item*, if it has one; failed results show it too."""
    return str(item.get("path") or item.get("vendor") or "")


@dataclass(frozen=True)
class Resolved:
    """The result for one item: a token, or a one-line error."""

    item: t.Mapping[str, t.Any] = field(repr=False)
    request: Request | None = None
    token: Token | None = None
    error: str = ""
    error_code: str = ""
    now: float = 0.0

    @property
    def vendor(self) -> str:
        return self.request.vendor.name if self.request else str(self.item.get("vendor"))

    @property
    def path(self) -> str:
        return self.request.secret.path if self.request else asked_path(self.item)

    def details(self) -> dict[str, t.Any]:
        """The same as the lookups' C(output=details); only if there is a token."""
        if self.request is None or self.token is None:
            raise ValueError("there is no token")
        scheme = self.request.vendor.authorization_scheme
        return details(self.token, vendor=self.request.vendor.name, scheme=scheme, now=self.now)


class HiddenArguments(dict[str, t.Any]):
    """Module arguments that contain a token, hidden from ANSIBLE_DEBUG, which prints arguments."""

    def __repr__(self) -> str:
        return "…"


class TokenAction(ActionBase):  # type: ignore[misc]
    """An action that needs tokens. Items and task arguments accept the options of the vendor's lookup."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def resolve_many(self, items: t.Sequence[t.Mapping[str, t.Any]], task_vars: dict[str, t.Any], **freshness: t.Any) -> list[Resolved]:
        """The tokens for *items* (vendor, path and any option of its lookup), or an error for each.

        :arg freshness: ``together`` and ``by_host``, as in :class:`Freshness`.
        """
        return [self._resolved(item, task_vars, freshness) for item in items]

    def _resolved(self, item: t.Mapping[str, t.Any], task_vars: dict[str, t.Any], freshness: dict[str, t.Any]) -> Resolved:
        request = None
        try:
            request, values = self.request_of(item, task_vars)
            request = replace(request, freshness=replace(request.freshness, **freshness))
            ports = self.ports(values)
            token = Resolver(ports).token(request)
            return Resolved(item, request, token, now=ports.clock())
        except TokenError as exc:
            return Resolved(item, request, error=exc.coded_message, error_code=exc.error_code)
        except AnsibleError as exc:  # an option value that ansible itself rejects
            refused = OptionError(str(exc))
            return Resolved(item, request, error=refused.coded_message, error_code=refused.error_code)

    def request_of(self, item: t.Mapping[str, t.Any], task_vars: dict[str, t.Any]) -> tuple[Request, dict[str, t.Any]]:
        """The request for *item*, and the values of all options.

        :raises OptionError: the vendor is unknown, or options contradict each other.
        """
        values = self.values_of(item, task_vars)
        return self.request_with(item, values), values

    def values_of(self, item: t.Mapping[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The values of all options of *item*'s lookup.

        :raises OptionError: *item* has no vendor.
        """
        vendor = item.get("vendor")
        if not isinstance(vendor, str) or not vendor:
            raise OptionError(f"'vendor' is needed: {', '.join(names())}, oauth2, or one of trackops_vendors.", fault="option:missing")
        return self.option_values(_plugin(vendor), item, task_vars)

    def request_with(self, item: t.Mapping[str, t.Any], values: dict[str, t.Any]) -> Request:
        """The request for *item*, whose options have these *values*.

        :raises OptionError: the vendor is unknown, or options contradict each other.
        """
        vendor, plugin = item["vendor"], _plugin(item["vendor"])
        path = item.get("path") or values.get("path") or (vendor if plugin == "oauth2" and vendor != "oauth2" else None)
        (request,) = requests_from(plugin, vendor, [str(path) if path else None], values, direct=item, surroundings=surroundings())
        return request

    def refuse_wrong_options(
        self, items: t.Iterable[t.Mapping[str, t.Any]], own: t.Iterable[str], *, module: str, of: t.Sequence[t.Mapping[str, t.Any]] = (), named: str = "tokens"
    ) -> None:
        """Reject unknown options: Ansible does not check an action's arguments, and a typo must not pass unnoticed.

        An empty vendor or path is rejected too. It comes from an empty variable, and would select credentials that were not meant: those at
        the default path or, when the cache is purged, all of them.

        :arg own: the module's options that are not options of a lookup.
        :arg of: the items of a list, which the user calls *named*.
        :raises OptionError: naming the empty option, or the option that no vendor in use has, and the nearest known one.
        """
        items = [*items, *of]
        for name in ("vendor", "path"):
            empty = [item for item in items if item.get(name) is not None and not str(item[name]).strip("/ ")]
            if empty:
                text = f"{_place(empty, of, named)}{name} is empty. Give a value, or leave it out (omit)."
                raise OptionError(text, fault="option:vault_path" if name == "path" else "option:missing")
        # The options next to the items name a vendor only if it is the items' vendor too.
        plugins = {_plugin(item["vendor"]) for item in items if item.get("vendor")} or {"oauth2"}
        known = {"vendor", "path", *own}.union(*map(option_names, plugins))
        for unknown in sorted({str(name) for item in items for name in item} - known):
            place = _place([item for item in of if unknown in item], of, named)
            if unknown in option_names("oauth2"):
                text = f"{place}there is no option '{unknown}' for {', '.join(sorted(plugins))}; only oauth2 and your own vendors accept it."
                raise OptionError(text, fault="option:unknown")
            near = nearest_option(unknown, known)
            hint = f"did you mean {near}?" if near else f"ansible-doc trackops.api_tokens.{module} lists them."
            raise OptionError(f"{place}there is no option '{one_line(unknown, limit=40)}'; {hint}", fault="option:unknown")

    def option_values(self, plugin: str, item: t.Mapping[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The options of the lookup *plugin*, with those in *item* as direct ones."""
        return self._lookup(plugin).resolved_options(task_vars, _direct(plugin, item))

    def explain(self, item: t.Mapping[str, t.Any], task_vars: dict[str, t.Any], values: dict[str, t.Any]) -> dict[str, t.Any]:
        """Each option of *item* with its value, one of *values*, and its source."""
        from .explain import explained

        plugin = _plugin(item.get("vendor"))
        try:
            request = self.request_with(item, values)
        except TokenError:
            request = None
        return explained(self._lookup(plugin), _direct(plugin, item), task_vars, values, request, surroundings=surroundings())

    def _lookup(self, plugin: str) -> TokenLookup:
        lookup: TokenLookup = lookup_loader.get(COLLECTION + plugin, loader=self._loader, templar=self._templar)
        return lookup

    def run_on_host(self, module: str, arguments: t.Mapping[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """The result of *module* on the host, which controls its content: see :mod:`.._hosts.answers`."""
        with pipelined(self._connection, variables):
            return module_result(lambda: self._execute_module(module_name=module, module_args=arguments, task_vars=variables))

    def cleanup(self, force: bool = False) -> None:
        """Remove remote files. With ANSIBLE_KEEP_REMOTE_FILES, Ansible would keep a module with its arguments, which may contain a token."""
        directory = self._connection._shell.tmpdir
        if directory and _ANSIBLE_TASK_DIRECTORY in directory:
            self._remove_tmp_path(directory, force=True)
        super().cleanup(force)

    def ports(self, values: t.Mapping[str, t.Any]) -> Ports:
        """The real effects, with events for the listeners that these option *values* configure."""
        listener = Listener(display, audit_log=values.get("audit_log"))
        return real_ports(warn=listener.warn, event=listener)


def flag(arguments: t.Mapping[str, t.Any], name: str, default: bool) -> bool:
    """A boolean option; Ansible does not check an action's arguments.

    :raises OptionError: it is neither true nor false.
    """
    value = arguments.get(name)
    try:
        found: bool = default if value is None else boolean(value)
    except TypeError:
        raise OptionError(f"{name} cannot be '{one_line(str(value), limit=40)}'. It must be true or false.") from None
    return found


def list_name(task: t.Any) -> str:
    """The user's name for the C(tokens) of *task*: roles and playbooks set it in a variable of the task itself, which no fact can override."""
    return str(task.vars.get("__tokens_are") or "tokens")


def failed_action(exc: TokenError, **facts: t.Any) -> AnsibleActionFail:
    """*exc* as Ansible's error: its message, and C(error_code) and *facts* in the result."""
    return AnsibleActionFail(exc.coded_message, result={**facts, "error_code": exc.error_code})


def _plugin(vendor: t.Any) -> str:
    """The lookup for *vendor*: its own, or C(oauth2) for a vendor that the user describes."""
    return vendor if vendor in names() else "oauth2"


def _direct(plugin: str, item: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The entries of *item* that are options of the lookup *plugin*."""
    known = option_names(plugin)
    return {name: value for name, value in item.items() if name in known and value is not None}


@contextlib.contextmanager
def pipelined(connection: t.Any, variables: dict[str, t.Any]) -> t.Iterator[None]:
    """Send a module through the connection instead of in a file, unless the user has configured pipelining.

    That takes one command on the host instead of five, and puts no file with tokens on its disk. Ansible's default is off because of
    sudo with requiretty; without C(become) that does not matter.
    """
    try:
        _value, origin = connection.get_option_and_origin("pipelining", hostvars=variables)
    except (AttributeError, KeyError, AnsibleError):  # a connection without that option
        origin = ""
    if connection.become is not None or origin != "default":
        yield
        return
    connection.set_option("pipelining", True)
    try:
        yield
    finally:
        connection.set_option("pipelining", False)


def module_result(run: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """The result of *run*, which lets Ansible run a module. Some answers of a host make Ansible itself fail."""
    try:
        return run()
    except (AttributeError, TypeError, ValueError, LookupError, RecursionError):
        pass
    # Not in the handler: Ansible would show the traceback of the handled exception.
    raise failed_action(TokenError("Ansible cannot parse the result of the module on the host.", fault="host:module"))


def interpreter_fact(action: t.Any) -> dict[str, t.Any]:
    """The only fact in a result that comes from Ansible: the Python that *action* found on the host. Without it, each task would search again."""
    key = action._discovered_interpreter_key
    return {"ansible_facts": {key: action._discovered_interpreter}} if key else {}


preload()
