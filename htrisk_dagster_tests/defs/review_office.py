"""A copy of the small city with two reviewers and a review page that can sign for them."""

from __future__ import annotations

from pathlib import Path

from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.publishing.signatures import write_new_key
from htrisk_dagster_tests.defs.small_city import City

HEADER = "X-Forwarded-User"
DAY, TARGET = "2024-04-05", "trafficking_related"


class Office:
    """A copy of the city whose dashboard has a review page.

    Parameters
    ----------
    city : City
        A copy that may be changed.
    folder : Path
        For keys and the file of reviewers.
    """

    def __init__(self, city: City, folder: Path) -> None:
        self.city, self.folder = city, folder
        self.key, self.people = folder / "page.pem", folder / "reviewers.toml"
        entries = [
            f'[reviewers.{name}]\npublic_key = "{write_new_key(folder / name)}"'
            for name in ("anna", "ben")
        ]
        entries.append(f'[services.review_page]\npublic_key = "{write_new_key(self.key)}"')
        self.people.write_text("\n".join(entries))
        self.workspace = self.with_settings(identity_header=HEADER, review_key_file=self.key)
        self.area = self.workspace.area("nyc")

    def with_settings(self, **changed: object) -> Workspace:
        """The workspace with the file of reviewers and other settings."""
        update = {"reviewers_file": self.people, **changed}
        return Workspace(self.city.settings.model_copy(update=update))

    def environment(self) -> dict[str, str]:
        """Settings as a process of its own reads them."""
        settings = self.workspace.settings
        given = {
            "reviewers_file": self.people, "review_key_file": self.key, "identity_header": HEADER,
            "profile": settings.profile, "home": settings.home, "origin": settings.origin,
            "data_dir": settings.data_dir, "history_start": settings.history_start,
        }  # fmt: skip
        return {f"HTRISK_{name.upper()}": str(value) for name, value in given.items()}
