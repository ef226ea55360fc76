"""What a page is, and what every page is given.

Belongs here: the contract between the frame (`application`) and the pages (`pages/`). Does not: any
page, any component.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dash import ClientsideFunction, Input, Output
from dash.development.base_component import Component

from htrisk_dagster.dashboard.snapshots import Snapshot, SnapshotShelf

if TYPE_CHECKING:
    from dash import Dash


@dataclass(frozen=True)
class Servers:
    """Addresses of the other servers, for links; a link whose server is unknown is not drawn.

    Parameters
    ----------
    dagster, mlflow : str, optional
        Such as `http://127.0.0.1:3000`.
    """

    dagster: str | None = None
    mlflow: str | None = None


NO_SERVERS = Servers()


@dataclass(frozen=True)
class Visit:
    """One reader asking for one page.

    Parameters
    ----------
    snapshot : Snapshot
    servers : Servers
    wishes : mapping of str to str
        The address's own parameters: a permalink's day, cell and view.
    """

    snapshot: Snapshot
    servers: Servers = NO_SERVERS
    wishes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """One page of the navigation.

    Parameters
    ----------
    path : str
        Address, such as `/funnel`.
    title : str
        Heading, and the words in the navigation.
    lead : str
        One or two sentences under the heading.
    layout : callable
        Makes the page's panels.
    register : callable, optional
        Adds the page's callbacks to the app.
    """

    path: str
    title: str
    lead: str
    layout: Callable[[Visit], list[Component]]
    register: Callable[[Dash, SnapshotShelf, Servers], None] | None = None


def in_browser(app: Dash, name: str, *dependencies: Any, **options: Any) -> None:
    """Bind a callback that runs in the browser: function `name` of `assets/dashboard.js`."""
    app.clientside_callback(ClientsideFunction("htrisk", name), *dependencies, **options)  # type: ignore[no-untyped-call]


def remember(app: Dash, *controls: str) -> None:
    """Let the address keep the values of controls: `funnel-month` as `month=...`, for permalinks."""
    in_browser(
        app,
        "remember",
        Output("remembered", "data", allow_duplicate=True),
        *(Input(control, "value") for control in controls),
        prevent_initial_call=True,
    )


def aria(**words: str) -> dict[str, Any]:
    """What assistive technology is told, such as `aria(label="Legend")`."""
    return {f"aria-{name}": word for name, word in words.items()}
