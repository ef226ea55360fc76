"""A forecast from outside: what is refused, when it is sealed, and the metrics it is given."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation import outside_forecast
from htrisk_dagster.evaluation.backtest import run_fold, seal
from htrisk_dagster.evaluation.comparison import METRICS, compare
from htrisk_dagster.evaluation.exchange_files import write_fold_set
from htrisk_dagster.evaluation.training import fold_truth
from htrisk_dagster.models.count_model import make_model
from htrisk_dagster_tests.evaluation.small_fold_set import (
    N_CELLS,
    known_by,
    simulate,
    small_fold_set,
    two_folds,
)
from numpy.typing import NDArray

FOLDS = two_folds()


def rows_of(forecast: list[NDArray[np.float64]]) -> pl.DataFrame:
    """The forecast as rows, the way a notebook would write it."""
    return pl.concat(
        pl.DataFrame(
            {
                "risk_on": np.repeat(
                    np.datetime64(fold.test_start) + np.arange(len(values)), N_CELLS
                ),
                "cell_id": np.tile(np.arange(N_CELLS), len(values)),
                "fold": np.full(values.size, k),
                "expected_count": values.ravel(),
            }
        )
        for k, (fold, values) in enumerate(zip(FOLDS, forecast, strict=True))
    )


@pytest.fixture(scope="module")
def block():
    return simulate()


@pytest.fixture(scope="module")
def own(block):
    """Our historical mean on the folds, as a training leaves it."""
    return [
        run_fold(
            lambda: make_model("historical_mean"),
            block,
            fold,
            counts_known_by=known_by(block),
            publication_lag_days=1,
            seed=1,
        )
        for fold in FOLDS
    ]


@pytest.fixture
def forecast():
    rng = np.random.default_rng(2)
    return [rng.lognormal(-1, 0.5, (14, N_CELLS)) for _ in FOLDS]


def scored(block, own, forecast, name="mine", **given):
    truth = [fold_truth(block, fold) for fold in FOLDS]
    active = np.arange(N_CELLS) < 9
    return outside_forecast.score(
        name,
        forecast,
        FOLDS,
        {"historical_mean": [f.forecast for f in own]},
        given.get("read_truth", lambda: (truth, active)),
        n_resamples=50,
        seed=3,
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_forecast_is_read_in_any_order_of_rows(tmp_path, forecast, suffix):
    path = tmp_path / f"mine.{suffix}"
    rows = rows_of(forecast).sample(fraction=1.0, shuffle=True, seed=1)
    rows.write_csv(path) if suffix == "csv" else rows.write_parquet(path)
    found = outside_forecast.read_forecast(path, FOLDS, N_CELLS)
    assert len(found) == 2
    for values, wanted in zip(found, forecast, strict=True):
        np.testing.assert_array_equal(values, wanted)


def set_count(frame: pl.DataFrame, row: int, value: float) -> pl.DataFrame:
    return frame.with_columns(
        pl.when(pl.int_range(pl.len()) == row)
        .then(pl.lit(value))
        .otherwise("expected_count")
        .alias("expected_count")
    )


DAY_3 = FOLDS[0].test_start + timedelta(days=3)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda f: f.filter(~((pl.col("cell_id") == 5) & (pl.col("risk_on") == DAY_3))),
            f"1 rows are missing, first cell 5 on {DAY_3}. Forecast every cell",
        ),
        (lambda f: f.filter(pl.col("fold") == 0), "fold 1 tests 2015-03-13 to 2015-03-26"),
        (lambda f: pl.concat([f, f[40:41]]), "key ('risk_on', 'cell_id', 'fold') repeats at row"),
        (lambda f: set_count(f, 41, -0.25), "'expected_count' has -0.25 at row 41, outside [0"),
        (lambda f: set_count(f, 41, 0.0), f"of cell 5 on {DAY_3} is 0.0, and must be a number"),
        (lambda f: set_count(f, 41, float("inf")), "is inf, and must be a number above 0"),
        (lambda f: set_count(f, 41, float("nan")), "'expected_count' has nan at row 41"),
        (
            lambda f: f.with_columns(pl.col("cell_id") + 1),
            f"it has no cell {N_CELLS} on {FOLDS[0].test_start}",
        ),
        (
            lambda f: f.with_columns(pl.col("risk_on") - pl.duration(days=1)),
            f"it has no cell 0 on {FOLDS[0].test_start - timedelta(days=1)}",
        ),
        (lambda f: f.drop("fold"), "columns ['fold'] are missing"),
        (lambda f: f.with_columns(pl.lit("x").alias("cell_id")), "cannot be cast"),
    ],
)
def test_what_is_no_whole_forecast_is_refused_in_a_sentence(tmp_path, forecast, spoil, said):
    path = tmp_path / "mine.csv"
    spoil(rows_of(forecast)).write_csv(path)
    with pytest.raises(SourceError) as refused:
        outside_forecast.read_forecast(path, FOLDS, N_CELLS)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_fold_that_is_none_is_refused(tmp_path, forecast):
    path = tmp_path / "mine.csv"
    more = rows_of(forecast).filter(fold=1).with_columns(pl.lit(2).alias("fold"))
    pl.concat([rows_of(forecast), more.cast(rows_of(forecast).schema)]).write_csv(path)
    with pytest.raises(SourceError, match=r"has rows of fold 2; the folds are 0 to 1\."):
        outside_forecast.read_forecast(path, FOLDS, N_CELLS)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(SourceError, match="There is no file"):
        outside_forecast.read_forecast(tmp_path / "mine.csv", FOLDS, N_CELLS)
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(SourceError, match=r"a forecast is a \.csv or \.parquet file"):
        outside_forecast.read_forecast(tmp_path / "mine.txt", FOLDS, N_CELLS)
    (tmp_path / "mine.parquet").write_text("no parquet at all")
    with pytest.raises(SourceError, match="is no forecast"):
        outside_forecast.read_forecast(tmp_path / "mine.parquet", FOLDS, N_CELLS)


def test_sealed_before_the_truth_is_read(block, own, forecast, monkeypatch):
    log: list[str] = []

    def watched(fold, values):
        log.append("sealed")
        return seal(fold, values)

    def read_truth():
        log.append("truth")
        return [fold_truth(block, fold) for fold in FOLDS], np.ones(N_CELLS, dtype=bool)

    monkeypatch.setattr(outside_forecast, "seal", watched)
    found = scored(block, own, forecast, read_truth=read_truth)
    assert log == ["sealed", "sealed", "truth"]
    assert found.seals == tuple(seal(f, v) for f, v in zip(FOLDS, forecast, strict=True))


def test_our_own_forecast_from_outside_scores_as_it_did_here(block, own):
    """The same numbers, by fold, as the training gave; and no difference to itself."""
    found = scored(block, own, [f.forecast for f in own])
    for k, result in enumerate(own):
        rows = found.by_fold.filter(model="mine", fold=k)
        values = dict(zip(rows["metric"], rows["value"], strict=True))
        assert values.pop("information_gain_bits") == 0.0
        assert values == result.metrics
    assert found.seals == tuple(f.digest for f in own)
    assert found.comparison.filter(model="mine")["difference"].drop_nulls().unique().to_list() == [
        0.0
    ]


def test_a_model_of_ours_name_is_taken(block, own, forecast):
    with pytest.raises(SourceError, match="give the forecast another --name"):
        scored(block, own, forecast, name="historical_mean")


def test_scikit_learn_on_the_exported_npz_is_scored_as_when_computed_directly(block, own, tmp_path):
    """Outside: NumPy and scikit-learn only. Inside: the same model on the block. Same metrics."""
    from sklearn.linear_model import PoissonRegressor

    write_fold_set(small_fold_set(block), tmp_path / "folds.npz")
    outside = _in_a_notebook(tmp_path / "folds.npz", PoissonRegressor)
    outside.write_csv(tmp_path / "mine.csv")
    forecast = outside_forecast.read_forecast(tmp_path / "mine.csv", FOLDS, N_CELLS)
    found = scored(block, own, forecast)

    inside = []
    columns = [block.names.index(n) for n in ("target_lag_1", "target_lag_7", "target_mean_28")]
    for fold in FOLDS:
        known = known_by(block)(fold.cutoff(1))
        n_train = (fold.train_stop - fold.train_start).days
        rows = np.ascontiguousarray(block.features[..., columns], dtype=np.float64)
        model = PoissonRegressor(alpha=1e-3).fit(
            rows[:n_train].reshape(-1, 3), known[:n_train].ravel()
        )
        start = (fold.test_start - fold.train_start).days
        test = rows[start : start + 14].reshape(-1, 3)
        inside.append(model.predict(test).reshape(14, N_CELLS))
    truth = np.concatenate([fold_truth(block, fold) for fold in FOLDS])
    wanted = compare(
        truth,
        {
            "historical_mean": np.concatenate([f.forecast for f in own]),
            "mine": np.concatenate(inside),
        },
        active=np.arange(N_CELLS) < 9,
        n_resamples=50,
        seed=3,
    )
    assert found.comparison.equals(wanted)
    for k, fold in enumerate(FOLDS):
        rows = found.by_fold.filter(model="mine", fold=k)
        values = dict(zip(rows["metric"], rows["value"], strict=True))
        direct = {n: m(fold_truth(block, fold), inside[k]) for n, m in METRICS.items()}
        assert {name: values[name] for name in direct} == direct


def _in_a_notebook(path: Path, regressor: type) -> pl.DataFrame:
    with np.load(path) as z:
        header = json.loads(z["header.json"])
        names = [f["name"] for f in header["features"]]
        columns = [names.index(n) for n in ("target_lag_1", "target_lag_7", "target_mean_28")]
        features = np.ascontiguousarray(z["features"][:, :, columns], dtype=np.float64)
        labels, days = z["labels"], z["days"]
    parts = []
    for k, fold in enumerate(header["folds"]):
        known = np.isfinite(labels[k])
        model = regressor(alpha=1e-3).fit(features[known], labels[k][known])
        test = (days >= np.datetime64(fold["test_start"])) & (
            days < np.datetime64(fold["test_stop"])
        )
        parts.append(model.predict(features[test].reshape(-1, 3)).reshape(-1, N_CELLS))
    return rows_of(parts)


def test_the_report_shows_seals_both_masks_and_folds(block, own, forecast):
    found = scored(block, own, forecast)
    text = outside_forecast.score_to_markdown(found, FOLDS)
    assert f"# mine beside the models, {date(2015, 2, 27)} to {date(2015, 3, 27)}" in text
    assert all(f"- fold {k}: `{digest}`" in text for k, digest in enumerate(found.seals))
    assert "Mask `active`: 9 cells x 28 days" in text
    assert f"Mask `land`: {N_CELLS} cells x 28 days" in text
    deviance = 1000 * own[1].metrics["poisson_deviance"]
    assert f"| historical_mean | 1 | {deviance:.4g} |" in text
