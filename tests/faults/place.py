# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where faults happen, and what defines one. Each has its own client at its vendor, secret in Vault and cache folder."""

from __future__ import annotations

import dataclasses
import pathlib
import secrets
import typing as t

from emulator.faults import sent_text
from leaks.detector import Secret
from support.stage import Stage

SECRET_FIELDS = ("client_secret", "password", "connect_token")
GIVEN_SECRETS = ("token", "password", "secret_id", "jwt")
_LONG = 16  # minimum length for the detector
COLLECTION = "trackops.api_tokens."


@dataclasses.dataclass(frozen=True)
class Fault:
    """
    One named fault. ``options`` apply during and after the fault, ``broken`` only during it.

    The error message contains ``says``. Without it, the lookup works despite the fault, and a warning contains ``warns``, if set.
    ``asks`` is the number of token requests to the vendor during the fault. The next run gets a token, with ``asks_after`` requests.
    """

    name: str
    area: str
    says: str | tuple[str, ...] = ""
    vendor: str = "trackunit"
    options: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    broken: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    # The vendor's behavior: the name of one of the emulator's faults, and its options.
    at_vendor: tuple[str, t.Mapping[str, t.Any]] | None = None
    credentials: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    before: t.Callable[[Place, Case], object] | None = None
    after: t.Callable[[Place, Case], object] | None = None
    asks: int | tuple[int, ...] | None = 1
    asks_after: int | None = 1
    # Number of reads of the secret during the fault.
    reads: int = 1
    # Path of the Vault login that is tried once.
    login: str = ""
    # Environment of the run during the fault.
    env: t.Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    warns: str = ""
    # Whether a token is in the cache before the fault begins.
    warm: bool = False
    names_path: bool = True
    # Whether the next run after the fault gets a token; a vendor's Retry-After outlasts the fault.
    recovers: bool = True
    # Whether to check the cache folder during the fault. Not if the folder itself is the fault, or holds its files.
    tidy: bool = True
    small: bool = False


@dataclasses.dataclass
class Case:
    """A fault with its own client, secret and cache folder."""

    fault: Fault
    client: str
    path: str
    cache: pathlib.Path
    secrets: list[Secret]
    account: dict[str, t.Any]

    def given(self) -> list[Secret]:
        """The secrets among the options that apply only during the fault."""
        return [Secret("option", name, str(value)) for name, value in self.fault.broken.items() if name in GIVEN_SECRETS and len(str(value)) >= _LONG]

    def lookup(self, *, broken: bool) -> str:
        options = {
            "cache_path": str(self.cache),
            "output": "details",
            "http_retries": 0,
            **self.fault.options,
            **(self.fault.broken if broken else {}),
        }
        plugin = self.fault.vendor if self.fault.vendor != "acme" else "oauth2"
        path = options.pop("path", self.path)
        return f"query({', '.join([repr(COLLECTION + plugin), repr(path), *(f'{name}={value!r}' for name, value in options.items())])})"


@dataclasses.dataclass
class Place:
    """Real servers, with a separate account for each fault."""

    stage: Stage
    scratch: pathlib.Path
    cases: list[Case] = dataclasses.field(default_factory=list)
    token: str = ""

    def __post_init__(self) -> None:
        rules = 'path "secret/data/faults/*" { capabilities = ["read"] }\n'
        rules += 'path "secret/data/trackops/*" { capabilities = ["create", "read", "update"] }\n'
        # Allow these, so that a missing mount or a wrong KV version is not reported as denied.
        rules += 'path "nowhere/*" { capabilities = ["create", "read", "update"] }\npath "old/*" { capabilities = ["create", "read", "update"] }\n'
        self.token = self.stage.vault.token(self.stage.vault.policy("the-faults", rules))

    def add(self, fault: Fault) -> Case:
        number = len(self.cases) + 1
        client = f"case-{number:03}-{secrets.token_hex(4)}"
        account = self._account(fault.vendor, client)
        # The client's name is in every message, so search only for the part after it.
        planted = [Secret("credential", f"{fault.name} {field}", account[field].partition(".")[2]) for field in SECRET_FIELDS if field in account]
        case = Case(fault, client, f"faults/{client}", self.scratch / "caches" / client, planted, account)
        held = self.stage.emulator.credentials[fault.vendor]
        accounts = held if isinstance(held, list) else [held]
        self.stage.emulator.set_credentials(fault.vendor, [*accounts, account])
        self.store(case, **fault.credentials)
        self.cases.append(case)
        return case

    def store(self, case: Case, **changed: t.Any) -> None:
        self.stage.vault.put(case.path, {**case.account, **changed})

    def asked(self, case: Case, entries: t.Sequence[dict[str, t.Any]]) -> int:
        """Count the token requests of this case's client."""
        return sum(
            entry["kind"] == "token" and case.client in sent_text(entry["raw"]["query"], entry["raw"]["headers"], entry["raw"]["body"]) for entry in entries
        )

    def _account(self, vendor: str, client: str) -> dict[str, t.Any]:
        held = self.stage.credentials(vendor)
        return {
            field: f"{client}.{secrets.token_hex(16)}" + (" %+&<'\"" if field != "connect_token" else "") if field in SECRET_FIELDS else client
            for field in held
        }
