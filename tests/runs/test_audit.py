"""Every table check: silent on a clean ladder, loud on a planted fault, right on the public tables."""

import numpy as np
import pytest

from kleiber.runs import Conventions, RunTable, audit, best, read
from kleiber.runs.audit import CHECKS
from kleiber.runs.audit.independence import chi_square_quantile
from tests.runs.ladders import STATED, isoflop, ladder, loss_of

QUIET = ("ok", "cannot tell")


def findings(table):
    return {finding.name: finding for finding in audit(table)}


def changed(table, **columns):
    """`table` with some columns replaced or added."""
    whole = {name: table.column(name) if table.is_numeric(name) else table.labels(name) for name in table.columns}
    return read({k: list(v) for k, v in (whole | columns).items() if k != "flops"}, conventions=table.conventions)


@pytest.fixture
def clean():
    return ladder(np.random.default_rng(0))


def test_a_clean_ladder_is_quiet(clean):
    loud = [each for each in audit(clean) if each.verdict not in QUIET and each.name != "reporting checklist"]
    assert loud == []


def test_clean_ladders_stay_quiet_over_many_draws():
    rng = np.random.default_rng(1)
    named = [each.name for _ in range(20) for each in audit(ladder(rng)) if each.verdict in ("problem", "warning")]
    by_chance = [name for name in named if name != "reporting checklist"]
    # at a true rate of 5 % per table, more than 4 in 20 happens once in 400
    assert len(by_chance) <= 4, by_chance


def test_names_are_distinct_and_findings_serialise(clean):
    found = audit(clean)
    assert len({each.name for each in found}) == len(found)
    assert all(each.to_json()["schema"] == "kleiber/finding/1" for each in found)
    assert len(CHECKS) == 22


# --- planted faults ---------------------------------------------------------------------------------------------------


def test_duplicates(clean):
    twice = RunTable.concat([clean, clean.take([0, 5])])
    found = findings(RunTable(table=twice.table, conventions=twice.conventions))["exact duplicates"]
    assert (found.verdict, found.rows) == ("problem", (33, 34))


def test_starved_runs(clean):
    starved = ladder(np.random.default_rng(0), budgets=(0.05, 3, 30, 100))
    found = findings(starved)["fewer tokens than params"]
    assert found.rows == tuple(range(1, 33, 4))
    assert found.verdict == "problem"
    assert findings(clean)["fewer tokens than params"].verdict == "ok"


def test_a_diverged_run(clean):
    loss = clean.column("loss").copy()
    loss[17] *= 1.6
    found = findings(changed(clean, loss=loss))["beaten by smaller runs"]
    assert found.rows == (18,)


def test_checkpoints_by_run_name(clean):
    runs = changed(clean, run=[f"size-{index // 4}" for index in range(32)])
    found = findings(runs)["checkpoints as runs"]
    assert (found.verdict, len(found.rows)) == ("problem", 32)
    own = changed(clean, run=[f"run-{index}" for index in range(32)])
    assert findings(own)["checkpoints as runs"].verdict == "ok"


def test_checkpoints_by_even_steps():
    logs = ladder(np.random.default_rng(0), budgets=tuple(range(10, 60, 5)), noise=0.0)
    found = findings(logs)["checkpoints as runs"]
    assert (found.verdict, len(found.rows)) == ("problem", len(logs))


def test_conditions_that_vary_are_a_fault_unless_the_law_knows_them(clean):
    mixed = changed(clean, experts=[1.0] * 24 + [16.0] * 8, activation_ratio=[1.0] * 24 + [1 / 16] * 8)
    found = findings(mixed)["varied conditions"]
    assert found.verdict == "problem"
    assert found.rows == tuple(range(25, 33))
    assert "experts: 1, 16" in found.evidence
    assert len(mixed.where(found.remedy.split('"')[1])) == 24
    for known in ("experts", "activation_ratio"):
        assert {each.name: each for each in audit(mixed, inputs=("params", known))}["varied conditions"].verdict == "ok"
    assert findings(changed(clean, experts=[4.0] * 32))["varied conditions"].verdict == "ok"
    assert "varied conditions" not in findings(clean)


def test_repetition_is_no_fault_for_a_law_of_unique_tokens(clean):
    repeated = changed(clean, unique_tokens=clean.column("tokens") / 8)
    assert findings(repeated)["repeated data"].verdict == "problem"
    assert {each.name: each for each in audit(repeated, inputs=("unique_tokens",))}["repeated data"].verdict == "ok"


def test_mixed_populations(clean):
    mixed = changed(clean, tokenizer=["bpe"] * 16 + ["bytes"] * 16)
    found = findings(mixed)["mixed populations"]
    assert found.verdict == "problem"
    assert "tokenizer: bpe, bytes" in found.evidence
    assert mixed.where(found.remedy.split('"')[1]).labels("tokenizer").tolist() == ["bpe"] * 16
    assert findings(changed(clean, tokenizer=["bpe"] * 32))["mixed populations"].verdict == "ok"


def test_seed_noise_is_measured():
    rng = np.random.default_rng(3)
    table = RunTable.concat([ladder(rng, sizes=6), ladder(rng, sizes=6)])
    found = findings(changed(table, seed=np.repeat([0, 1], 24)))["seed noise"]
    assert found.interval is not None
    assert found.interval[0] < 0.003 < found.interval[1]
    assert found.value == pytest.approx(0.003, rel=0.35)


def test_repeats_that_no_seed_explains_are_asked_about():
    rng = np.random.default_rng(3)
    first, second = ladder(rng, sizes=6), ladder(rng, sizes=6)
    second = changed(second, loss=1.07 * second.column("loss"))
    found = findings(changed(RunTable.concat([first, second]), seed=np.repeat([0, 1], 24)))["seed noise"]
    assert found.verdict == "warning"
    assert "two recipes" in found.remedy
    assert findings(changed(RunTable.concat([first, first]), seed=np.repeat([0, 1], 24)))["seed noise"].verdict == "ok"


def test_seed_noise_looks_past_labels_that_belong_to_one_seed():
    rng = np.random.default_rng(3)
    table = RunTable.concat([ladder(rng, sizes=6), ladder(rng, sizes=6)])
    found = findings(
        changed(table, seed=np.repeat([0, 1], 24), trunk=["a"] * 24 + ["b"] * 24, wall_seconds=np.arange(48.0))
    )["seed noise"]
    assert found.interval is not None
    assert found.interval[0] < 0.003 < found.interval[1]
    assert found.value == pytest.approx(0.003, rel=0.35)


@pytest.mark.parametrize("freedom", [3, 10, 50])
@pytest.mark.parametrize("level", [0.025, 0.975])
def test_chi_square_quantiles(freedom, level):
    from scipy.stats import chi2

    assert chi_square_quantile(freedom, level) == pytest.approx(chi2.ppf(level, freedom), rel=1e-9)


@pytest.mark.parametrize(("centre", "verdict"), [(1.0, "ok"), (0.1, "problem"), (10.0, "problem")])
def test_isoflop_minima(centre, verdict):
    found = findings(isoflop(np.random.default_rng(4), centre=centre))["isoFLOP minima"]
    assert found.verdict == verdict
    assert found.value == (0.0 if verdict == "ok" else 5.0)


def test_isoflop_does_not_speak_without_slices(clean):
    scattered = ladder(np.random.default_rng(5), sizes=6, budgets=(20.0,))
    assert "isoFLOP minima" not in findings(scattered)


def test_long_warmup(clean):
    long = findings(changed(clean, warmup_tokens=[3e8] * 32))["long warm-up"]
    assert long.verdict == "problem"
    assert long.value == pytest.approx(3e8 / 3e7)
    assert findings(changed(clean, warmup_tokens=clean.column("tokens") / 50))["long warm-up"].verdict == "ok"
    assert findings(changed(clean, warmup=[2000] * 32))["long warm-up"].verdict == "cannot tell"
    steps = changed(clean, warmup_steps=[2000] * 32, batch_tokens=clean.column("tokens") / 1e5)
    assert findings(steps)["long warm-up"].value == pytest.approx(0.02)


def test_unmatched_decay(clean):
    tokens = clean.column("tokens")
    off = findings(changed(clean, decay_tokens=np.where(np.arange(32) % 4 == 0, 2 * tokens, tokens)))["unmatched decay"]
    assert off.rows == tuple(range(1, 33, 4))
    assert findings(changed(clean, decay_tokens=tokens))["unmatched decay"].verdict == "ok"
    mixed = changed(clean, schedule=["cosine"] * 16 + ["constant"] * 16)
    assert findings(mixed)["unmatched decay"].verdict == "warning"


def test_a_sweep_of_learning_rates(clean):
    parts = [(1e-3, 1.0), (1e-2, 1.05), (1e-1, 1.2)]
    swept = {
        "params": np.tile(clean.column("params"), 3),
        "tokens": np.tile(clean.column("tokens"), 3),
        "lr": np.repeat([lr for lr, _ in parts], 32),
        "loss": np.concatenate([clean.column("loss") * worse for _, worse in parts]),
    }
    runs = read(swept, conventions=STATED)
    found = findings(runs)["untuned runs"]
    assert found.rows == tuple(range(33, 97))
    assert "edge" in found.evidence
    tuned = best(runs)
    assert tuned.row_numbers.tolist() == list(range(1, 33))
    assert tuned.steps == ("the best of each of 32 cells (of 96 rows)",)
    assert findings(changed(clean, lr=[1e-3] * 32))["untuned runs"].verdict == "warning"


def test_repeated_data(clean):
    found = findings(changed(clean, unique_tokens=np.minimum(clean.column("tokens"), 1e10)))["repeated data"]
    assert found.verdict == "problem"
    assert found.rows == tuple(int(row) + 1 for row in np.flatnonzero(clean.column("tokens") > 1e10))
    assert findings(changed(clean, unique_tokens=[1e15] * 32))["repeated data"].verdict == "ok"


def test_definitions(clean):
    unknown = read({name: clean.column(name) for name in ("params", "tokens", "loss")})
    assert findings(unknown)["params definition"].verdict == "warning"
    assert findings(unknown)["loss unit"].verdict == "warning"
    bits = RunTable(table=clean.table, conventions=Conventions(loss="bits_per_byte"))
    assert findings(bits)["loss unit"].verdict == "ok"
    wrong = changed(clean, loss=clean.column("loss") / 10)
    assert findings(wrong)["loss unit"].verdict == "problem"


def test_flops_against_6nd(clean):
    params, tokens = clean.column("params"), clean.column("tokens")
    exact = {"params": params, "tokens": tokens, "loss": clean.column("loss"), "flops": 6 * params * tokens}
    assert findings(read(exact))["flops against 6ND"].verdict == "ok"
    drifting = exact | {"flops": 6 * params**1.05 * tokens}
    found = findings(read(drifting))["flops against 6ND"]
    assert found.verdict == "problem"
    assert "N^+0.050" in found.evidence
    assert "flops against 6ND" not in findings(clean)  # derived, so it proves nothing


def test_shape_of_the_ladder(clean):
    assert findings(clean.take([0]))["sizes and budgets"].verdict == "problem"
    one_size = clean.where("params < 1.1e7")
    assert "only one size" in findings(one_size)["sizes and budgets"].evidence
    along = ladder(np.random.default_rng(6), budgets=(20.0,))
    assert findings(along)["params apart from tokens"].verdict == "problem"
    assert findings(along.where("params < 3e7"))["compute range"].verdict == "problem"
    assert findings(clean)["compute range"].value == pytest.approx(2 * 2.5 + np.log10(100 / 3), rel=0.01)


def test_digitised(clean):
    coordinates = changed(clean, x=np.arange(32.0), y=np.arange(32.0), color=["#fff"] * 32)
    assert findings(coordinates)["digitised figure"].verdict == "warning"
    fractional = changed(clean, params=clean.column("params") + 0.37)
    assert "no whole numbers" in findings(fractional)["digitised figure"].evidence
    pixels = changed(clean, loss=np.round(clean.column("loss") / 0.0712345) * 0.0712345)
    assert "agree exactly" in findings(pixels)["digitised figure"].evidence
    assert findings(clean)["digitised figure"].verdict == "ok"


def test_checklist_counts_what_is_there(clean):
    before = findings(clean)["reporting checklist"].value
    after = findings(changed(clean, tokenizer=["bpe"] * 32, seed=[0] * 32))["reporting checklist"].value
    assert after == pytest.approx(before + 2 / 11)


@pytest.mark.parametrize(
    "columns", [{"loss": [3.0]}, {"loss": [3.0, 2.0], "examples": [1e6, 2e6]}, {"loss": [3.0], "params": [1e6]}]
)
def test_poor_tables_do_not_break_it(columns):
    assert audit(read(columns))


# --- public tables ----------------------------------------------------------------------------------------------------


def test_epoch_names_the_five_rows(shared_data):
    found = findings(read(shared_data / "epoch" / "svg_extracted_data.csv"))
    starved = found["fewer tokens than params"]
    assert starved.verdict == "problem"
    assert set(range(1, 6)) <= set(starved.rows)
    assert "rows 1-5" in starved.evidence
    assert found["digitised figure"].verdict == "warning"
    assert found["isoFLOP minima"].verdict == "ok"
    assert found["rung off its neighbours"].verdict == "ok"
    left = read(shared_data / "epoch" / "svg_extracted_data.csv").where("loss < 3.44")
    assert len(left) == 240


def test_kyo_is_digitised_too_and_obeys_6nd(shared_data):
    found = findings(read(shared_data / "kyo" / "df.csv"))
    assert found["flops against 6ND"].verdict == "ok"
    assert found["digitised figure"].verdict == "warning"


def test_gadre_mixes_three_datasets(shared_data):
    loss = "loss:eval_data/c4_val/shard-{0000000..0000010}.tar"
    found = findings(read(shared_data / "gadre" / "models_losses.csv", loss=loss))
    assert found["mixed populations"].value == 3
    assert found["params definition"].verdict == "warning"


def test_steplaw_is_a_sweep(shared_data):
    runs = read(shared_data / "steplaw" / "dense_lr_bs_loss.csv")
    found = findings(runs)
    assert found["untuned runs"].verdict == "problem"
    assert found["untuned runs"].value == pytest.approx(0.84, abs=0.01)
    assert len(best(runs)) == 17


def test_datablations_repeats_its_data_and_has_seeds(shared_data):
    found = findings(read(shared_data / "datablations" / "runs.csv"))
    assert len(found["repeated data"].rows) == 255
    assert found["seed noise"].value == pytest.approx(0.007, abs=0.001)


def test_revisiting_has_687_duplicates(shared_data):
    runs = read(shared_data / "revisiting_nsl" / "benchmark.lang.csv", where="Domain == 'LM'")
    assert findings(runs)["exact duplicates"].value == 687


def test_the_simulation_is_the_law():
    assert loss_of(70e9, 1.4e12) == pytest.approx(1.8172 + 482.01 * 70e9**-0.3478 + 2085.43 * 1.4e12**-0.3658)


def test_cells_in_millions_among_others_are_mixed_units() -> None:
    params, tokens = (axis.ravel() for axis in np.meshgrid(np.geomspace(2e7, 1e9, 6), np.geomspace(4e8, 2e10, 5)))
    loss = 1.7 + 400 / params**0.34 + 1500 / tokens**0.36
    assert "mixed units" not in [
        each.name for each in audit(RunTable.of({"params": params, "tokens": tokens, "loss": loss}))
    ]
    some = np.where(np.arange(params.size) % 6 == 0, params / 1e6, params)
    found = {each.name: each for each in audit(RunTable.of({"params": some, "tokens": tokens, "loss": loss}))}
    assert found["mixed units"].verdict == "problem"
    assert found["mixed units"].rows == (1, 7, 13, 19, 25)
    everywhere = RunTable.of({"params": params, "tokens": tokens / 1e9, "loss": loss})
    assert "at most 20" in {each.name: each.evidence for each in audit(everywhere)}["mixed units"]


def test_a_warm_up_just_over_the_limit_is_not_said_to_be_at_it() -> None:
    table = RunTable.of(
        {"params": [1e6] * 3, "tokens": [4e6, 8e6, 16e6], "loss": [3.0, 2.9, 2.8], "warmup_tokens": [4.1e5] * 3}
    )
    found = {each.name: each for each in audit(table)}["long warm-up"]
    assert "more than 10 %" in found.evidence
    assert "up to 10.2 %" in found.evidence
