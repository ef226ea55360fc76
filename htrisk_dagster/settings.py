"""One typed settings object: where things are kept, which study area, where its data come from.

Belongs here: what a user may set, from `HTRISK_*` variables, a `.env` file or the command line.
Does not: facts of a place (`study_areas/`), nor anything the science reads by itself: it takes
values as arguments.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from htrisk_dagster.errors import SettingError

Origin = Literal["synthetic", "files", "api"]
PREFIX = "HTRISK_"


class Settings(BaseSettings):
    """Settings of one workspace; every field can be given as `HTRISK_<NAME>`.

    Each origin of data has a workspace of its own below `home`, so that an invented city and a
    real one can never meet in one table, one run history or one comparison.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    area: str = Field("nyc", description="Study area, a file in htrisk_dagster/study_areas.")
    study_areas: Path | None = Field(
        None,
        description="Folder of your own study areas, beside those of htrisk_dagster/study_areas.",
    )
    origin: Origin = Field("synthetic", description="synthetic, files (with data_dir) or api.")
    data_dir: Path | None = Field(
        None, description="Folder of publishers' files, for origin=files."
    )
    home: Path = Field(Path(".htrisk"), description="Folder that holds one workspace an origin.")
    target: str | None = Field(
        None, description="What is forecast; the area's first target if unset."
    )
    seed: int = Field(20260101, ge=0, lt=2**31, description="Seed of every random choice.")
    preset: str = Field("demo", description="Synthetic city: tiny, demo, default, skill or metro.")
    profile: Literal["quick", "full", "smoke"] = Field(
        "quick",
        description=(
            "Training effort: quick for a demonstration, full for use, smoke to see only that "
            "every step works."
        ),
    )
    history_start: date | None = Field(
        None, description="Rows before this day are not used; all that are covered if unset."
    )
    publication_lag_days: int | None = Field(
        None, ge=1, le=400, description="Days from report to publication; the area's own if unset."
    )
    cluster_address: str | None = Field(
        None,
        description=(
            "Ray cluster that features, forecasts and learners are made on, as host:port, or auto on a "
            "machine of it; this process if unset. All machines need the extra `cluster` and see `home`."
        ),
    )
    cluster_tiles: int = Field(
        1, ge=1, le=10_000, description="Tiles that a city's cells are cut into on a cluster."
    )
    mlflow_tracking_uri: str | None = Field(
        None,
        repr=False,  # may hold a password
        description="MLflow server; a SQLite file in the workspace if unset.",
    )
    open_data_url: str | None = Field(
        None, description="Mirror of the open-data sites; the publishers' own addresses if unset."
    )
    socrata_app_token: SecretStr | None = Field(None, description="Token for NYC Open Data.")
    arcgis_token: SecretStr | None = Field(
        None, description="Token for feature services that ask for one; public layers need none."
    )
    places_api_key: SecretStr | None = Field(
        None,
        description="Key of Google's Places API (New); places come from a file or not at all if unset.",
    )
    places_request_limit: int = Field(
        1_000, ge=1, description="Requests to the places service in one run, retries included."
    )
    verified_cases_dir: Path | None = Field(
        None, description="Folder of the restricted verified-case file; data_dir if unset."
    )

    alert_sink: Literal["file", "email", "webhook", "none"] = Field(
        "file", description="Where spike alerts are sent: file, email, webhook or none."
    )
    alert_target: SecretStr | None = Field(
        None,
        description=(
            "File, webhook's address or smtp://host:port/recipient of the alert sink; a file in the "
            "workspace if unset."
        ),
    )

    reviewers_file: Path | None = Field(
        None,
        description="TOML file of reviewers and their public keys; nothing is released if unset.",
    )
    review_valid_days: int = Field(
        14, ge=1, le=366, description="Days for which a signed review of a map holds."
    )
    publication_valid_days: int = Field(
        30, ge=1, le=366, description="Days after which a published map is taken back."
    )
    identity_header: str | None = Field(
        None,
        description=(
            "Header in which a reverse proxy on this machine names the user, such as X-Forwarded-User; "
            "nobody is known if unset."
        ),
    )

    review_key_file: Path | None = Field(
        None,
        description=(
            "Private key with which the dashboard's review page signs for those whom the proxy names; its "
            "public key stands among the services in reviewers_file. Needed where identity_header is set."
        ),
    )

    @model_validator(mode="after")
    def _sinks_need_a_target(self) -> Settings:
        if self.alert_sink in ("email", "webhook") and self.alert_target is None:
            raise ValueError(
                f"alert_sink={self.alert_sink} needs alert_target, its address: a webhook's https://... or "
                "smtp://host:port/recipient"
            )
        return self

    @model_validator(mode="after")
    def _files_need_a_folder(self) -> Settings:
        if self.origin == "files" and self.data_dir is None:
            raise ValueError("origin=files needs data_dir, the folder that holds the files")
        return self

    @property
    def workspace(self) -> Path:
        """Folder of this origin: warehouse, Dagster's and MLflow's own stores, fetched files."""
        return (self.home / self.origin).absolute()

    @property
    def warehouse(self) -> Path:
        """Folder of the Parquet partitions and of `warehouse.duckdb`."""
        return self.workspace / "warehouse"

    @property
    def restricted(self) -> Path:
        """Folder of verified cases, readable by the owner only."""
        return self.workspace / "restricted"

    @property
    def releases(self) -> Path:
        """Folder of the logs of reviews and releases, and of the maps that were released."""
        return self.workspace / "releases"

    @property
    def published(self) -> Path:
        """Folder of what readers are shown: snapshots by study area."""
        return self.workspace / "published"

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's run history."""
        return self.workspace / "dagster"

    @property
    def mlflow_store(self) -> Path:
        """Folder of MLflow's database and artifacts."""
        return self.workspace / "mlflow"

    @property
    def tracking_uri(self) -> str:
        """MLflow's address: the server set, or the workspace's SQLite file."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.mlflow_store / 'mlflow.db'}"


def without_password(address: str) -> str:
    """Address as it may be shown: what stands before an @ is `***`, what follows a ? is gone."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    shown = f"***@{host}" if "@" in parts.netloc else host
    return urlunsplit((parts.scheme, shown, parts.path, "", "")) if parts.netloc else address


def load_settings(**given: object) -> Settings:
    """Read settings from the environment, `.env` and keyword arguments, the last winning.

    Raises
    ------
    SettingError
        Where a setting is unknown or a value is not legal; the message names it and the choices.
    """
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    places = {
        "the environment": list(os.environ),
        ".env": list(dotenv_values(".env")),
        "the arguments": [f"{PREFIX}{name.upper()}" for name in given],
    }
    unknown = [
        f"{name} in {place}"
        for place, names in places.items()
        for name in sorted(names)
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]
    if unknown:
        raise SettingError(
            f"Unknown setting {', '.join(unknown)}. Known settings: {', '.join(sorted(known))}."
        )
    try:
        return Settings(**{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingError(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    parts = []
    for item in error.errors():
        name = ".".join(str(p) for p in item["loc"]) or "settings"
        field = Settings.model_fields.get(name)
        if field is not None and "Secret" in str(field.annotation):
            parts.append(f"Setting '{name}', whose value is not shown: {item['msg']}.")
        elif item["loc"]:
            parts.append(f"Setting '{name}' has value {item['input']!r}: {item['msg']}.")
        else:
            parts.append(f"{item['msg'].removeprefix('Value error, ')}.")
    return " ".join(parts)
