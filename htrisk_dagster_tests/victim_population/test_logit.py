from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.ctdc_files import read_file
from htrisk_dagster.victim_population.logit import LogitFit, fit_logit
from htrisk_dagster.victim_population.logit_models import (
    FIVE_MODELS,
    VICTIM_TYPES,
    LogitModel,
    count_outcomes,
)
from htrisk_dagster.victim_population.recode import clean

CTDC = Path(__file__).parents[2].parent / "shared/data/ctdc/ctdc_kanon_global_2018_47k.csv.gz"
MODELS = {model.name: model for model in FIVE_MODELS}

# Appendix of ctdc_victim_population.md: coefficients, then ln(p/1-p) and odds of girl, woman, boy, man.
APPENDIX = {
    "sexual_exploitation": (
        {"intercept": 0.19016, "male": -4.68387, "minor": 1.89411, "male_x_minor": 3.19678},
        (2.08427, 0.19016, 0.59718, -4.49371),
        (8.0387211, 1.2094431, 1.8169877, 0.0111791),
    ),
    "forced_labour": (
        {"intercept": -0.91521, "male": 2.30118, "minor": -1.61444, "male_x_minor": -0.80741},
        (-2.52965, -0.91521, -1.03588, 1.38597),
        (0.0796869, 0.4004325, 0.3549139, 3.9987028),
    ),
    "recruiter_intimate_partner": (
        {"intercept": 0.44476, "male": -6.0907, "minor": -1.72671},
        (-1.28195, 0.44476, -7.37265, -5.64594),
        (0.2774957, 1.5601157, 0.0006282, 0.0035318),
    ),
    "recruiter_friend": (
        {"intercept": -0.58064, "male": 5.95128, "minor": -1.64087, "male_x_minor": -9.67257},
        (-2.22151, -0.58064, -5.9428, 5.37064),
        (0.1084452, 0.5595401, 0.0026247, 215.00042),
    ),
    "recruiter_family": (
        {"intercept": -3.5771, "minor": 4.5639},
        (0.9868, -3.5771, 0.9868, -3.5771),
        (2.6826363, 0.0279567, 2.6826363, 0.0279567),
    ),
}
# Chart 2, per cent, of girl, woman, boy, man.
CHART_2 = {
    "sexual_exploitation": (88.94, 54.74, 64.50, 1.11),
    "forced_labour": (7.38, 28.59, 26.19, 79.99),
    "recruiter_intimate_partner": (21.72, 60.94, 0.06, 0.35),
    "recruiter_friend": (9.78, 35.88, 0.26, 99.54),
    "recruiter_family": (72.85, 2.72, 72.85, 2.72),
}


def counts_of(cells: dict[str, tuple[float, float]], *, unknown: float = 0.0) -> pl.DataFrame:
    """Counts of one source from (yes, no) by victim type."""
    numbers = {name: key for key, name in VICTIM_TYPES.items()}
    rows = [(*numbers[name], 0, yes, no, unknown) for name, (yes, no) in cells.items()]
    return pl.DataFrame(
        rows,
        orient="row",
        schema={
            **dict.fromkeys(("male", "minor", "case_management"), pl.Int8),
            **dict.fromkeys(("yes_count", "no_count", "unknown_count"), pl.Float64),
        },
    )


def expected_counts(model_name: str) -> pl.DataFrame:
    """What the published coefficients expect of 12,000 records, split unevenly; no chance in it."""
    coefficients, *_ = APPENDIX[model_name]
    sizes = {"girl": 3_000, "woman": 5_000, "boy": 1_000, "man": 3_000}
    cells = {}
    for (male, minor), name in VICTIM_TYPES.items():
        factors = {"intercept": 1, "male": male, "minor": minor, "male_x_minor": male * minor}
        log_odds = sum(value * factors[term] for term, value in coefficients.items())
        probability = 1 / (1 + math.exp(-log_odds))
        cells[name] = (sizes[name] * probability, sizes[name] * (1 - probability))
    return counts_of(cells)


def by_term(fit: LogitFit, column: str) -> dict[str, float]:
    return dict(fit.coefficients.select("term", column).iter_rows())


@pytest.mark.parametrize("name", APPENDIX)
def test_appendix_and_chart_2_come_back_from_the_published_coefficients(name):
    coefficients, log_odds, odds = APPENDIX[name]
    fit = fit_logit(expected_counts(name), MODELS[name], "seed")
    assert by_term(fit, "coefficient") == pytest.approx(coefficients, abs=5e-6)
    types = fit.victim_types
    assert types["victim_type"].to_list() == ["girl", "woman", "boy", "man"]
    assert types["log_odds"].to_list() == pytest.approx(log_odds, abs=5e-6)
    # Seven or eight digits are printed, of coefficients that were rounded to five decimals.
    assert types["odds"].to_list() == pytest.approx(odds, rel=2e-5)
    assert (100 * types["probability"]).to_list() == pytest.approx(CHART_2[name], abs=0.005)


def test_the_text_of_chart_1_and_where_it_contradicts_itself():
    fit = fit_logit(expected_counts("sexual_exploitation"), MODELS["sexual_exploitation"], "seed")
    change = by_term(fit, "odds_change_pct")
    # Printed "99.07 smaller": 99.0757 is 99.08 when rounded; the text cuts it off. The unit, per cent,
    # is left out there and in "564.66 greater".
    assert change["male"] == pytest.approx(-99.0757, abs=1e-4)
    assert math.trunc(-change["male"] * 100) / 100 == 99.07
    assert change["minor"] == pytest.approx(564.66, abs=0.005)
    # "0.011 times lower" and "for every 100 ... 1" describe one number, the odds of a man, which the
    # chart calls an odds ratio. The ratio of a man's odds to a woman's is another.
    man = fit.victim_types.row(3, named=True)
    assert 100 * man["odds"] == pytest.approx(1.1, abs=0.05)
    assert by_term(fit, "odds_ratio")["male"] == pytest.approx(0.0111791 / 1.2094431, rel=1e-4)


def test_conclusion_of_the_text_holds_for_its_sexual_exploitation_only():
    # "Females much more likely in all categories except forced labour": not for friends, 35.88 to 99.54.
    friend = fit_logit(expected_counts("recruiter_friend"), MODELS["recruiter_friend"], "seed")
    odds = dict(friend.victim_types.select("victim_type", "odds").iter_rows())
    assert odds["man"] > 300 * odds["woman"]
    # "Minors much more likely": not for partners, 21.72 to 60.94.
    name = "recruiter_intimate_partner"
    partner = fit_logit(expected_counts(name), MODELS[name], "seed")
    odds = dict(partner.victim_types.select("victim_type", "odds").iter_rows())
    assert odds["girl"] < odds["woman"] / 5


def test_odds_of_215_are_215_to_1_and_at_the_edge_of_separation():
    # 215.00042 and 1 / 0.0026247 = 381.0 are whole: one record on the rare side gives exactly these.
    counts = counts_of({"girl": (108, 996), "woman": (560, 1001), "boy": (1, 381), "man": (215, 1)})
    fit = fit_logit(counts, MODELS["recruiter_friend"], "seed")
    _, published, _ = APPENDIX["recruiter_friend"]
    log_odds = fit.victim_types["log_odds"].to_list()
    assert log_odds[2:] == pytest.approx(published[2:], abs=5e-6)
    man = fit.victim_types.row(3, named=True)
    # Woolf's error of log odds, sqrt(1/215 + 1/1): the interval spans a factor of 50.
    error = 1.959964 * math.sqrt(1 / 215 + 1)
    assert man["odds_lower"] == pytest.approx(215 * math.exp(-error), rel=1e-6)
    assert man["odds_upper"] == pytest.approx(215 * math.exp(error), rel=1e-6)
    assert fit.separation.kind == "near"
    assert "215.00 to 1" in fit.sentences[0]
    assert "fewer than 11 records" in fit.sentences[1]
    assert "in: boy; man;" in fit.sentences[1]


def test_saturated_model_is_the_two_by_two_table():
    cells = {"girl": (30, 70), "woman": (45, 155), "boy": (12, 38), "man": (20, 180)}
    fit = fit_logit(counts_of(cells), MODELS["forced_labour"], "known_only")
    (girl_yes, girl_no), (yes, no), (boy_yes, boy_no), (man_yes, man_no) = cells.values()
    man_to_woman = math.log(man_yes * no / (man_no * yes))
    boy_to_girl = math.log(boy_yes * girl_no / (boy_no * girl_yes))
    expected = {
        "intercept": math.log(yes / no),
        "male": man_to_woman,
        "minor": math.log(girl_yes * no / (girl_no * yes)),
        "male_x_minor": boy_to_girl - man_to_woman,
    }
    assert by_term(fit, "coefficient") == pytest.approx(expected, abs=1e-9)
    # Woolf (1955): the variance of a log odds ratio is the sum of the inverse counts.
    assert by_term(fit, "standard_error")["male"] == pytest.approx(
        math.sqrt(1 / man_yes + 1 / man_no + 1 / yes + 1 / no), rel=1e-7
    )
    assert np.diag(fit.covariance)[0] == pytest.approx(1 / yes + 1 / no, rel=1e-7)
    # Log-likelihood of single records, sum of n log p, and Akaike's criterion from it.
    likelihood = sum(n * math.log(n / sum(pair)) for pair in cells.values() for n in pair)
    assert fit.log_likelihood == pytest.approx(likelihood, abs=1e-9)
    assert fit.aic == pytest.approx(8 - 2 * likelihood, abs=1e-9)
    assert fit.separation.kind == "none"


def test_counts_give_what_single_records_give_to_another_routine():
    import statsmodels.api as sm

    counts = counts_of({"girl": (30, 70), "woman": (45, 155), "boy": (12, 38), "man": (20, 180)})
    model = MODELS["recruiter_intimate_partner"]  # no interaction, so not the counts themselves
    fit = fit_logit(counts, model, "seed")
    single = pl.concat(
        counts.select(
            "male", "minor", pl.lit(y).alias("y"), pl.col(f"{word}_count").cast(pl.Int64)
        ).rename({f"{word}_count": "n"})
        for y, word in ((1, "yes"), (0, "no"))
    )
    single = single.select(pl.exclude("n").repeat_by("n")).explode("male", "minor", "y")
    design = sm.add_constant(single.select("male", "minor").cast(pl.Float64).to_numpy())
    newton = sm.Logit(single["y"].to_numpy(), design).fit(disp=0, tol=1e-12)
    assert single.height == 550
    assert by_term(fit, "coefficient") == pytest.approx(
        dict(zip(model.term_names, newton.params, strict=True)), abs=1e-8
    )
    assert by_term(fit, "standard_error") == pytest.approx(
        dict(zip(model.term_names, newton.bse, strict=True)), abs=1e-8
    )
    assert fit.covariance == pytest.approx(newton.cov_params(), abs=1e-9)
    assert fit.log_likelihood == pytest.approx(newton.llf, abs=1e-8)
    # Delta method of the log odds of a boy, x'Vx, carried over to the probability.
    x = np.array([1.0, 1.0, 1.0])
    error = 1.959963985 * math.sqrt(x @ newton.cov_params() @ x)
    boy = fit.victim_types.row(2, named=True)
    assert boy["probability_lower"] == pytest.approx(1 / (1 + math.exp(error - x @ newton.params)))
    assert boy["probability_upper"] == pytest.approx(1 / (1 + math.exp(-error - x @ newton.params)))


def test_unknown_is_no_in_one_recipe_and_left_out_in_the_other():
    records = pl.DataFrame(
        {
            "gender": ["female"] * 40 + ["other", None],
            "majority_status_at_exploit": ["adult"] * 20 + ["minor"] * 20 + ["adult"] * 2,
            "data_source": ["hotline"] * 42,
            "is_forced_labour": [True] * 5 + [False] * 5 + [None] * 10 + [True] * 12 + [False] * 8
            + [True] * 2,
        }
    )  # fmt: skip
    counts = count_outcomes(records, "is_forced_labour")
    assert counts.rows() == [(0, 0, 0, 5, 5, 10), (0, 1, 0, 12, 8, 0)]
    model = LogitModel("forced_labour", "is_forced_labour", ((), ("minor",)))
    seed, known = (fit_logit(counts, model, recipe) for recipe in ("seed", "known_only"))
    assert by_term(seed, "coefficient")["intercept"] == pytest.approx(math.log(5 / 15))
    assert by_term(known, "coefficient")["intercept"] == pytest.approx(0.0, abs=1e-12)
    # 10 of the 23 that were taken for "no".
    assert any(s.startswith("43% of the records") for s in seed.sentences)
    assert not any("taken for" in s for s in known.sentences)


def test_records_without_what_the_models_need_are_refused():
    records = pl.DataFrame(
        {"gender": ["female"], "data_source": ["hotline"], "is_forced_labour": [True]}
    )
    with pytest.raises(TableError, match="lack majority_status_at_exploit"):
        count_outcomes(records, "is_forced_labour")
    nobody = records.with_columns(pl.lit(None, dtype=pl.String).alias("majority_status_at_exploit"))
    with pytest.raises(TableError, match="No record has a gender"):
        count_outcomes(nobody, "is_forced_labour")
    with pytest.raises(TableError, match="under the recipe known_only"):
        fit_logit(counts_of({"man": (0, 0)}, unknown=5), MODELS["forced_labour"], "known_only")


@pytest.fixture(scope="module")
def released() -> pl.DataFrame:
    if not CTDC.exists():
        pytest.skip(f"{CTDC} is absent")
    return clean(read_file(CTDC)).records


@pytest.mark.real_data
def test_2018_file_gives_the_known_coefficients_by_the_seeds_recipe(released):
    counts = count_outcomes(released, "is_sexual_exploit")
    fit = fit_logit(counts, MODELS["sexual_exploitation"], "seed")
    assert fit.coefficients["coefficient"].to_list() == pytest.approx(
        [0.712, -4.602, 1.861, 1.678], abs=0.001
    )
    assert fit.victim_types["records_count"].sum() == 5_164


@pytest.mark.real_data
def test_2018_file_has_no_such_odds_of_friends_but_the_same_thin_corner(released):
    counts = count_outcomes(released, "recruiter_relation_friend")
    rows = counts.group_by("male", "minor").sum().sort("male", "minor")
    assert rows.select("yes_count", "no_count", "unknown_count").rows() == [
        (120, 539, 1021),
        (113, 632, 2119),
        (17, 62, 420),
        (1, 23, 97),
    ]
    fit = fit_logit(counts, MODELS["recruiter_friend"], "known_only")
    assert fit.victim_types["odds"].to_list()[3] == pytest.approx(17 / 62)
    assert any("in: boy;" in sentence for sentence in fit.sentences)
