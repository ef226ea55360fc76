"""Who may review and publish, whose key is whose, and who is behind a request to the review page.

Belongs here: the file of reviewers, identity from a reverse proxy's header, roles. Does not: keys
(`signatures`), tokens of forms (`form_tokens`), what a reviewer decides (`review_records`), the page
itself (`dashboard`).

The file is TOML:

    [reviewers.anna]
    public_key = "kUOX…="                # htrisk release key
    roles = ["reviewer", "publisher"]    # both if left out; [] for who has left: old words stay signed

    [services.review_page]               # signs for those whom the proxy has named to the page
    public_key = "mB2c…="

A reviewer's private key never goes to a server: who signs on the review page is signed for by the
page's own key, and the record says so (`signed_by`). Such a record proves that this server had the
proxy's word for the name, no more; without a `[services]` entry none counts, and whoever wants the
stronger proof signs with `htrisk release`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.signatures import is_public_key

ROLES = ("reviewer", "publisher")
REVIEWER, PUBLISHER = ROLES


@dataclass(frozen=True)
class Reviewer:
    """One person who may review, publish or both.

    Parameters
    ----------
    name : str
        As it stands on maps.
    public_key : str
        Ed25519, Base64.
    roles : tuple of str
        Of `ROLES`.
    """

    name: str
    public_key: str
    roles: tuple[str, ...] = ROLES


@dataclass(frozen=True)
class Reviewers:
    """Everybody who may decide, and services that sign for them.

    Parameters
    ----------
    people : dict of str to Reviewer
    services : dict of str to str
        Public key of each service that knows its users by a proxy.
    """

    people: Mapping[str, Reviewer]
    services: Mapping[str, str]

    def with_role(self, name: str, role: str) -> Reviewer:
        """Reviewer `name`.

        Raises
        ------
        ReleaseError
            Where nobody has this name, or not this role.
        """
        found = self.people.get(name)
        if found is None:
            raise ReleaseError(
                f"'{name}' is not in the file of reviewers, which names: "
                f"{', '.join(sorted(self.people)) or 'nobody'}."
            )
        if role not in found.roles:
            raise ReleaseError(
                f"'{name}' has not the role {role}, but {', '.join(found.roles) or 'none'}."
            )
        return found

    def key_for(self, name: str, signed_by: str) -> str | None:
        """Public key that a record of `name` must be signed with; None where it may not be."""
        if name not in self.people:
            return None
        return self.people[name].public_key if signed_by == name else self.services.get(signed_by)


NOBODY = Reviewers({}, {})


def read_reviewers(path: Path | None) -> Reviewers:
    """Read the file of reviewers; nobody without one.

    Raises
    ------
    ReleaseError
        Where the file is absent, is not TOML, or has an unknown key, a role or a public key that is
        none, or one public key under two names: two reviewers must be two.
    """
    if path is None:
        return NOBODY
    if not path.is_file():
        raise ReleaseError(f"The file of reviewers {path} is absent. Set reviewers_file to one.")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{path} is no legal TOML: {error}.") from error
    problems = _problems(content)
    if problems:
        raise ReleaseError(f"{path}: {' '.join(problems)}")
    people = {
        name: Reviewer(name, entry["public_key"], tuple(entry.get("roles", ROLES)))
        for name, entry in content.get("reviewers", {}).items()
    }
    services = {n: entry["public_key"] for n, entry in content.get("services", {}).items()}
    return Reviewers(people, services)


def _problems(content: Mapping[str, Any]) -> list[str]:
    found = [f"'{n}' is no table of it." for n in content if n not in ("reviewers", "services")]
    keys: dict[str, str] = {}
    for table, allowed in (("reviewers", {"public_key", "roles"}), ("services", {"public_key"})):
        for name, entry in content.get(table, {}).items():
            place = f"{table}.{name}"
            if not isinstance(entry, dict) or set(entry) - allowed:
                found.append(f"{place} may have {', '.join(sorted(allowed))} only.")
                continue
            key, roles = entry.get("public_key", ""), entry.get("roles", list(ROLES))
            if not isinstance(key, str) or not is_public_key(key):
                found.append(f"{place} has no public key of 32 bytes in Base64.")
            elif key in keys:
                found.append(f"{place} has the public key of {keys[key]}; each needs its own.")
            else:
                keys[key] = place
            if not isinstance(roles, list) or set(map(str, roles)) - set(ROLES):
                found.append(f"{place} needs roles of {', '.join(ROLES)}.")
    both = set(content.get("reviewers", {})) & set(content.get("services", {}))
    return found + [f"'{name}' is a reviewer and a service." for name in sorted(both)]


def reviewer_of(
    headers: Mapping[str, str],
    peer: str,
    *,
    identity_header: str | None,
    reviewers: Reviewers,
    role: str = REVIEWER,
) -> Reviewer | None:
    """The reviewer behind a request, or None: then the page shows nothing to decide on.

    Parameters
    ----------
    headers : mapping of str to str
        Of the request; names in any case. A header that comes twice, joined by a comma as servers
        do, names nobody.
    peer : str
        Address that the request came from. Only a proxy on this machine is believed: anybody else
        could write the header themselves.
    identity_header : str or None
        Name of the header that the proxy sets; None, the default of the settings, turns it off.
    reviewers : Reviewers
    role : str
        Role that the reviewer needs.
    """
    if identity_header is None or not _is_loopback(peer):
        return None
    wanted = identity_header.casefold()
    named = [value.strip() for name, value in headers.items() if name.casefold() == wanted]
    if len(named) != 1:
        return None
    found = reviewers.people.get(named[0])
    return found if found is not None and role in found.roles else None


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False
