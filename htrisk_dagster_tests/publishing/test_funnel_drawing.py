from __future__ import annotations

from xml.etree import ElementTree

import polars as pl
from htrisk_dagster.publishing.funnel_drawing import draw_funnel
from htrisk_dagster.schemas.verified import FUNNEL, STAGES

_SVG = "{http://www.w3.org/2000/svg}"


def stages(counts: list[int | None], statuses: list[str]) -> pl.DataFrame:
    shares = [None if n is None else float(n) for n in counts]
    rows = zip(["A <B>"] * 5, [None] * 5, [None] * 5, STAGES, counts, shares, statuses, strict=True)
    return pl.DataFrame(list(rows), schema=FUNNEL.polars_schema(), orient="row")


def test_bars_are_as_long_as_their_counts_and_an_absent_one_says_why():
    frame = stages([100, 80, 40, None, None], ["shown"] * 3 + ["not recorded", "hidden"])
    svg = ElementTree.fromstring(draw_funnel(frame, title="A <B>", period="2024"))
    rects = svg.findall(f"{_SVG}rect")
    widths = [float(r.get("width", "nan")) for r in rects]
    assert widths[1] / widths[0] == 0.8
    assert widths[2] / widths[0] == 0.4
    assert [r.get("class") for r in rects] == ["bar", "bar", "bar", "none", "none"]
    texts = [t.text for t in svg.findall(f"{_SVG}text")]
    assert "80 (80%)" in texts
    assert {"not recorded", "not shown (k = 11)"} <= set(texts)
    assert "not recorded" in (svg.findtext(f"{_SVG}desc") or "")


def test_it_needs_nothing_from_elsewhere():
    text = draw_funnel(stages([1, 0, 0, 0, 0], ["shown"] * 5), title="t", period="p")
    assert "href" not in text
    assert "url(" not in text
    assert text.count("http") == 1, "only the namespace"
