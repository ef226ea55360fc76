"""The frame around all pages: header, navigation, colour scheme, and which page an address means.

Belongs here: the app and its shell. Does not: pages (`pages/`), files (`downloads`), the server that
runs it (`web_server`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from urllib.parse import parse_qsl

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.downloads import add_routes
from htrisk_dagster.dashboard.kept_answers import KeptAnswers, keep_answers
from htrisk_dagster.dashboard.page import NO_SERVERS, Page, Servers, Visit, aria, in_browser
from htrisk_dagster.dashboard.panels import missing
from htrisk_dagster.dashboard.release_book import ReleaseBook
from htrisk_dagster.dashboard.review_page import PATH as REVIEW_PATH
from htrisk_dagster.dashboard.review_page import ReviewPage
from htrisk_dagster.dashboard.security_headers import secure
from htrisk_dagster.dashboard.snapshots import Snapshot, SnapshotShelf
from htrisk_dagster.errors import MissingPartitionError

_NAVBAR = {"width": 250, "breakpoint": "sm", "collapsed": {"mobile": True}}
_INVENTED = (
    "INVENTED CITY. Every incident here was made up by a program, to show how it works. It says "
    "nothing about the real place. Do not act on it."
)
_HERE = Path(__file__).parent


def create_app(
    folder: Path,
    *,
    book: ReleaseBook | None = None,
    with_drafts: bool = False,
    review: ReviewPage | None = None,
    servers: Servers = NO_SERVERS,
    hosts: Collection[str] = (),
) -> Dash:
    """The dashboard over one study area's snapshots.

    Parameters
    ----------
    folder : Path
        Folder of the snapshots; one that is still empty is said on every page.
    book : ReleaseBook, optional
        The log that says which days are out; none are without one.
    with_drafts : bool
        Show maps that are not out too; every page and file is marked then.
    review : ReviewPage, optional
        The page on which reviewers decide; all else is read-only, and there is none by default.
    servers : Servers
        Other servers, for links.
    hosts : collection of str
        Names besides loopback that are answered; see `security_headers.secure`.

    Returns
    -------
    Dash
        `app.server` is the WSGI application.
    """
    # A file made with geopandas imports it; half-imported, the JSON of an answer elsewhere would break.
    import pandas  # noqa: F401

    from htrisk_dagster.dashboard.pages import PAGES

    shelf = SnapshotShelf(folder, book, with_drafts=with_drafts)
    app = Dash(
        "htrisk_dashboard",
        title="htrisk",
        update_title="",
        assets_folder=str(_HERE / "assets"),
        assets_ignore=r"review\.css",
        suppress_callback_exceptions=True,
        serve_locally=True,
        compress=False,
    )
    # Asks the maker's site for a newer version otherwise.
    app.enable_dev_tools(debug=False, dev_tools_disable_version_check=True)
    app.layout = lambda: _shell(shelf, PAGES)
    app.index_string = _INDEX
    _route(app, shelf, servers, PAGES, review)
    for page in PAGES:
        if page.register:
            page.register(app, shelf, servers)
    add_routes(app, shelf)
    if review is not None:
        review.add_to(app)
    secure(app, hosts)
    keep_answers(
        app,
        shelf,
        KeptAnswers(),
        is_personal=lambda: review is not None and review.reviewer() is not None,
    )
    return app


_INDEX = """<!DOCTYPE html>
<html lang="en">
  <head>
    {%metas%}
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{%title%}</title>
    {%favicon%}
    {%css%}
  </head>
  <body>
    {%app_entry%}
    <footer>{%config%}{%scripts%}{%renderer%}</footer>
  </body>
</html>"""


def _shell(shelf: SnapshotShelf, pages: Sequence[Page]) -> Component:
    snapshot = _newest(shelf)
    shell: Component = dmc.MantineProvider(
        [
            dcc.Location(id="address", refresh="callback-nav"),
            html.A("Skip to the page", href="#page", className="skip"),
            dmc.AppShell(
                [
                    dmc.AppShellHeader(_header(snapshot)),
                    dmc.AppShellNavbar(_navigation(snapshot, pages), id="navbar"),
                    dmc.AppShellMain(html.Div(id="page", className="page", tabIndex=-1)),
                ],
                id="shell",
                header={"height": 56},
                navbar=_NAVBAR,
                padding="md",
            ),
            dcc.Store(id="page-title"),
            dcc.Store(id="page-arrived"),
            dcc.Store(id="remembered"),
        ],
        id="provider",
        theme={
            "primaryColor": "blue",
            "fontFamily": 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
        },
    )
    return shell


def _header(snapshot: Snapshot | None) -> Component:
    status = snapshot.stage if snapshot else "nothing published"
    return html.Div(
        [
            dmc.Burger(id="burger", hiddenFrom="sm", size="sm", **aria(label="Navigation")),
            html.Span("htrisk", className="name"),
            html.Span(snapshot.header.area_title if snapshot else "", className="area"),
            html.Span(className="space"),
            html.Span(status, className=f"status {status}", title="Stage of review"),
            html.Button("Light or dark", id="scheme", className="scheme", type="button"),
        ],
        className="bar",
    )


def _navigation(snapshot: Snapshot | None, pages: Sequence[Page]) -> Component:
    return html.Div(
        [
            html.Nav(id="navigation", **aria(label="Pages")),
            html.Div(_provenance(snapshot), className="provenance"),
        ],
        className="navigation",
    )


def _links(pages: Sequence[Page], here: str, review: ReviewPage | None) -> list[Component]:
    links: list[Component] = [
        dcc.Link(
            page.title,
            href=page.path,
            className="here" if page.path == here else "",
        )
        for page in pages
    ]
    if review is not None and review.reviewer() is not None:
        links.append(html.A("Review and release", href=REVIEW_PATH))
    return links


def _provenance(snapshot: Snapshot | None) -> list[Component]:
    if snapshot is None:
        return []
    header = snapshot.header
    return [
        html.P(f"Target: {header.target_title}."),
        html.P(f"Maps of {snapshot.days[0]} to {snapshot.days[-1]}."),
        html.P(f"Snapshot {header.made_from}, {snapshot.written_at:%Y-%m-%d %H:%M} UTC."),
        html.P(f"Data: {header.data_origin}. Counts of 1 to {header.k - 1} are hidden."),
    ]


def _newest(shelf: SnapshotShelf) -> Snapshot | None:
    try:
        return shelf.newest()
    except MissingPartitionError:
        return None


def _route(
    app: Dash,
    shelf: SnapshotShelf,
    servers: Servers,
    pages: Sequence[Page],
    review: ReviewPage | None,
) -> None:
    by_path = {page.path: page for page in pages}

    @app.callback(
        Output("page", "children"),
        Output("page-title", "data"),
        Output("navigation", "children"),
        Input("address", "pathname"),
        State("address", "search"),
    )
    def show_page(path: str | None, search: str | None) -> tuple[object, str, list[Component]]:
        page = by_path.get(path or "/")
        links = _links(pages, path or "/", review)
        if page is None:
            body = _body(
                "No such page", f"There is nothing at {path}. Choose a page at the left.", []
            )
            return body, "No such page", links
        wishes = dict(parse_qsl((search or "").lstrip("?")))
        title = f"{page.title} · htrisk"
        try:
            visit = Visit(shelf.newest(), servers, wishes)
        except MissingPartitionError as error:
            return _body(page.title, page.lead, [missing(str(error))]), title, links
        body = _body(page.title, page.lead, page.layout(visit), _warnings(visit.snapshot))
        return body, title, links

    in_browser(
        app,
        "scheme",
        Output("provider", "forceColorScheme"),
        Input("scheme", "n_clicks"),
    )
    in_browser(
        app,
        "openNavigation",
        Output("shell", "navbar"),
        Output("burger", "opened"),
        Input("burger", "opened"),
        Input("address", "pathname"),
        State("shell", "navbar"),
    )
    in_browser(
        app,
        "arrived",
        Output("page-arrived", "data"),
        Input("page-title", "data"),
        prevent_initial_call=True,
    )


def _warnings(snapshot: Snapshot) -> list[Component]:
    """What stands above every page: drafts, an invented city, maps that were taken back."""
    stages = snapshot.stages.values()
    n_drafts = sum(not stage.is_out for stage in stages)
    drafts = (
        f"DRAFT. {n_drafts} of the {len(stages)} maps here have not been reviewed by two people and "
        "published. They are shown for review: do not act on them."
    )
    told = [html.P(drafts, className="draft-note", role="note")] if n_drafts else []
    if snapshot.header.data_origin == "synthetic":
        told.append(html.P(_INVENTED, className="invented", role="note"))
    return [*told, *(html.P(n, className="notice", role="note") for n in snapshot.notices)]


def _body(
    title: str, lead: str, panels: Sequence[Component], warnings: Sequence[Component] = ()
) -> list[Component]:
    return [
        *warnings,
        html.Header([html.H1(title, tabIndex=-1), html.P(lead)]),
        html.Div(list(panels), className="panels"),
    ]
