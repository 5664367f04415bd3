"""Evaluations of real small runs, worked through in this process."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pytest
import torch

from ift import load_image
from ift.metrics import METRICS, Judge
from ift.metrics.frechet import set_frechet
from jobs.commit import committed_rows, recommit
from jobs.errors import JobError, NotFoundInStoreError, PlanError
from jobs.evaluate.job import read_metrics
from jobs.evaluate.pictures import ResultPictures
from jobs.evaluate.records import JUDGED, METRICS_SCHEMA
from jobs.evaluate.worker import in_size
from jobs.plan import load_plan
from jobs.records import Record
from jobs.storage import open_store
from jobs.verify import verify
from tests.jobs.evaluate.runs import judge_all, plan_run, source_of, stylize, works_of
from tests.jobs.pairs import picture

TWO_STYLES = {
    "pair_id": "two",
    "content": "contents/c1.png",
    "style": "styles/s0.png;styles/s1.png",
    "style_weight": "3;1",
    "resolution": "48",
    "style_resolution": "40",
    "label": "cat",
}
GONE = {"pair_id": "gone", "content": "contents/gone.png", "style": "styles/s0.png"}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, model):
    """A run with two styles in one row and a row that failed, judged: its folder and the summary."""
    folder = tmp_path_factory.mktemp("evaluated")
    plan_run(folder, [TWO_STYLES, GONE])
    stylize(folder, model)
    return folder, judge_all(folder / "run", model)


def rows_of(folder):
    return {row["pair_id"]: row for row in read_metrics(str(folder / "run")).to_pylist()}


def records_of(output):
    """What stands in the record objects of an evaluation, by pair id."""
    place, _, _ = source_of(output)
    tables = [JUDGED.decode(place.store.read(key)) for key in place.store.list("records/")]
    return {row["pair_id"]: row for table in tables for row in table.to_pylist()}


def test_the_figures_are_those_that_the_judge_gives_for_the_files(evaluated, model):
    folder, _ = evaluated
    judge, rows = Judge(model), rows_of(folder)
    for name, weights, content_side, style_side in (("c0-s1", None, None, None), ("two", [3, 1], 48, 40)):
        row = rows[name]
        styles = [judge.describe(load_image(uri, style_side)) for uri in row["styles"]]
        content = judge.describe(load_image(row["content"], content_side), content=True)
        result = load_image(folder / "run" / row["result"])
        expected = judge.judge(content, styles, weights, result)
        figures = {metric: value for metric, value in expected.metrics.items() if value is not None}
        assert {metric for metric in METRICS if row[metric] is not None} == set(figures)
        assert {metric: row[metric] for metric in figures} == pytest.approx(figures, rel=1e-6)
        assert row["ruin"] == expected.ruin
        assert (row["height"], row["width"]) == result.shape[1:]


def test_the_table_says_what_was_judged(evaluated):
    folder, _ = evaluated
    table = read_metrics(str(folder / "run"))
    assert table.schema.names == METRICS_SCHEMA.names
    assert table["row"].to_pylist() == list(range(8))
    rows, plan = rows_of(folder), load_plan(open_store(str(folder / "run")))
    two = rows["two"]
    assert two["styles"] == [str(folder / f"styles/s{k}.png") for k in range(2)]
    assert two["style_weights"] == [0.75, 0.25]
    assert (two["method"], two["preset"], two["label"], two["resolution"]) == ("adain", "artistic", "cat", 48)
    assert two["sha256"] == hashlib.sha256((folder / "run" / two["result"]).read_bytes()).hexdigest()
    assert two["seconds"] > 0 and two["total_s"] > 0 and two["finished_at"] > 1.7e9
    (pair,) = (pair for shard in plan.iter_shards() for pair in shard.pairs if pair.pair_id == "two")
    assert json.loads(two["settings"]) == json.loads(pair.settings)


def test_a_pair_that_the_run_could_not_stylize_has_a_record_that_says_so(evaluated):
    folder, summary = evaluated
    gone = rows_of(folder)["gone"]
    assert (gone["status"], gone["error_type"], gone["result"]) == ("failed", "NotStylizedError", None)
    assert "contents/gone.png" in gone["error"]
    assert all(gone[name] is None for name in (*METRICS, "ruin", "sha256"))
    assert (summary.judged, summary.failed, summary.not_stylized, summary.left) == (7, 1, 1, 0)


def test_the_summary_has_the_figures_of_the_table(evaluated):
    folder, summary = evaluated
    done = [row for row in rows_of(folder).values() if row["status"] == "done"]
    for name in ("ssim", "gram_distance", "brightness"):
        values = np.array([row[name] for row in done])
        margin = 1.959964 * values.std(ddof=1) / np.sqrt(len(values))
        expected = {
            "count": len(values),
            "mean": values.mean(),
            "low": values.mean() - margin,
            "high": values.mean() + margin,
            "median": np.median(values),
            "p5": np.percentile(values, 5),
            "p95": np.percentile(values, 95),
        }
        assert summary.metrics[name] == pytest.approx(expected)
        (group,) = summary.groups
        assert group["metrics"][name] == pytest.approx(expected)
    assert (group["preset"], group["method"], group["pairs"]) == ("artistic", "adain", 7)
    stored = json.loads((folder / "run/evaluation/evaluation.json").read_text())
    assert stored["metrics"] == summary.metrics and stored["vgg_frechet"] == summary.vgg_frechet


def test_sets_of_pictures_are_compared_without_holding_them(evaluated, model):
    folder, summary = evaluated
    records = [row for row in records_of(folder / "run").values() if row["status"] == "done"]

    def numbers(descriptors):
        return torch.stack([torch.from_numpy(np.frombuffer(one, "<f2").astype(np.float64)) for one in descriptors])

    results = numbers([row["descriptor"] for row in records])
    contents = numbers([row["content_descriptor"] for row in records])
    two = next(row for row in records if row["pair_id"] == "two")
    # Four of each style; of the pair of two styles three of the one and one of the other.
    styles = torch.cat(
        [numbers(row["style_descriptors"] * 4) for row in records if row is not two]
        + [numbers([two["style_descriptors"][0]] * 3), numbers([two["style_descriptors"][1]])]
    )
    assert summary.vgg_frechet["contents"] == pytest.approx(set_frechet(results, contents), rel=1e-6)
    assert summary.vgg_frechet["styles"] == pytest.approx(set_frechet(results, styles), rel=1e-6)
    assert summary.vgg_frechet_pairs == 7
    described = Judge(model).describe(load_image(folder / "run" / two["result"]))
    torch.testing.assert_close(numbers([two["descriptor"]])[0].float(), described.descriptor, rtol=1e-3, atol=1e-3)


def test_what_is_judged_is_not_judged_again(evaluated):
    folder, _ = evaluated
    assert works_of(folder / "run") == []


def test_verify_has_nothing_to_say_about_an_evaluation(evaluated):
    folder, _ = evaluated
    assert verify(open_store(str(folder / "run"))).fine


def test_pictures_are_found_by_the_rows_of_the_table(evaluated):
    folder, _ = evaluated
    pictures, rows = ResultPictures(str(folder / "run")), rows_of(folder)
    two = rows["two"]
    assert pictures.content(two) == (folder / "contents/c1.png").read_bytes()
    assert pictures.style(two, 1) == (folder / "styles/s1.png").read_bytes()
    assert pictures.result(two) == (folder / "run" / two["result"]).read_bytes()
    with pytest.raises(NotFoundInStoreError, match="gone has no result"):
        pictures.result(rows["gone"])


@pytest.mark.parametrize("layout", ["webdataset", "parquet"])
def test_pictures_in_packs_are_judged_and_found(evaluated, tmp_path, model, layout):
    plan_run(tmp_path, [TWO_STYLES, GONE], layout=layout)
    stylize(tmp_path, model)
    judge_all(tmp_path / "run", model)
    ours, expected = rows_of(tmp_path), rows_of(evaluated[0])
    pictures = ResultPictures(str(tmp_path / "run"))
    for name, row in expected.items():
        assert [ours[name][metric] for metric in METRICS] == [row[metric] for metric in METRICS]
        assert ours[name]["sha256"] == row["sha256"]
    assert hashlib.sha256(pictures.result(ours["two"])).hexdigest() == ours["two"]["sha256"]


def redo(folder, pair_id, data):
    """Another picture for a pair, as `retry` or `repair` would have recorded it; None: it failed this time."""
    store = open_store(str(folder / "run"))
    (shard, pair) = next(
        (shard, pair) for shard in load_plan(store).iter_shards() for pair in shard.pairs if pair.pair_id == pair_id
    )
    record = Record.begin(pair, shard.fingerprint)
    if data is None:
        record.fail(ValueError("bad"))
    else:
        store.write(pair.output, data)
        record.status, record.output, record.bytes = "done", pair.output, len(data)
        record.sha256 = hashlib.sha256(data).hexdigest()
    recommit(store, shard, [record], committed_rows(store, shard))


def test_pairs_whose_picture_has_changed_are_judged_again_and_no_others(tmp_path, model):
    plan_run(tmp_path, [GONE])
    stylize(tmp_path, model)
    judge_all(tmp_path / "run", model)
    before = records_of(tmp_path / "run")
    redo(tmp_path, "c0-s0", picture(tmp_path / "other.png", 77).read_bytes())
    redo(tmp_path, "gone", picture(tmp_path / "found.png", 78).read_bytes())
    picture(tmp_path / "contents/gone.png", 79)
    redo(tmp_path, "c2-s1", None)
    expected = {"c0-s0", "gone", "c2-s1"}
    assert {shard.only(row).pairs[0].pair_id for shard, rows in works_of(tmp_path / "run") for row in rows} == expected
    judge_all(tmp_path / "run", model)
    after = records_of(tmp_path / "run")
    assert {name for name in after if after[name] != before[name]} == expected
    assert [after[name]["status"] for name in ("c0-s0", "gone", "c2-s1")] == ["done", "done", "failed"]
    assert after["c0-s0"]["ssim"] != before["c0-s0"]["ssim"] and after["c0-s0"]["attempts"] == 2
    assert after["c2-s1"]["error_type"] == "NotStylizedError" and after["c2-s1"]["descriptor"] is None
    assert works_of(tmp_path / "run") == []


def test_a_picture_that_is_damaged_or_gone_is_a_failed_row_and_takes_nobody_with_it(tmp_path, model):
    plan_run(tmp_path)
    stylize(tmp_path, model)
    damaged, lost = tmp_path / "run/images/c0-s0.png", tmp_path / "run/images/c1-s0.png"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    lost.unlink()
    (tmp_path / "contents/c2.png").write_bytes(b"no picture any more")
    summary = judge_all(tmp_path / "run", model)
    rows = rows_of(tmp_path)
    assert {name: row["error_type"] for name, row in rows.items() if row["status"] == "failed"} == {
        "c0-s0": "ChangedPictureError",
        "c1-s0": "NotFoundInStoreError",
        "c2-s0": "ImageError",
        "c2-s1": "ImageError",
    }
    assert "verify --repair" in rows["c0-s0"]["error"] and "contents/c2.png" in rows["c2-s1"]["error"]
    assert (summary.judged, summary.failed, summary.not_stylized) == (2, 4, 0)
    # Once the very picture is back, it is judged; what is wrong elsewhere waits for --retry.
    damaged.write_bytes(whole)
    judge_all(tmp_path / "run", model)
    assert {name for name, row in rows_of(tmp_path).items() if row["status"] == "failed"} == {"c1-s0", "c2-s0", "c2-s1"}
    picture(tmp_path / "contents/c2.png", 2, (64, 48))
    judge_all(tmp_path / "run", model, retry=True)
    assert {name for name, row in rows_of(tmp_path).items() if row["status"] == "failed"} == {"c1-s0"}


def test_of_a_run_that_goes_on_what_is_committed_is_judged_and_the_rest_later(tmp_path, model):
    plan_run(tmp_path)
    stylize(tmp_path, model, shards={1})
    first = judge_all(tmp_path / "run", model)
    assert (first.rows, first.judged, first.left, first.unjudged) == (6, 3, 3, 0)
    standing = {path: path.read_bytes() for path in tmp_path.glob("run/evaluation/records/*")}
    stylize(tmp_path, model, shards={0})
    last = judge_all(tmp_path / "run", model)
    assert (last.judged, last.left) == (6, 0)
    assert {path: path.read_bytes() for path in standing} == standing


def test_limits_of_files_and_pixels_fail_single_rows(tmp_path, model):
    plan_run(tmp_path, contents=1)
    picture(tmp_path / "styles/s1.png", 5, (400, 300))
    stylize(tmp_path, model)
    judge_all(tmp_path / "run", model, max_pixels=100_000)
    errors = {name: row["error"] for name, row in rows_of(tmp_path).items()}
    assert errors["c0-s0"] is None and "more than the limit of 0.1" in errors["c0-s1"]


def test_an_evaluation_goes_on_with_the_weights_that_it_began_with(evaluated):
    folder, _ = evaluated
    with pytest.raises(PlanError, match="other weights"):
        source_of(folder / "run", judge="f" * 64)


def test_where_nothing_was_evaluated_the_way_out_is_told(tmp_path, model):
    with pytest.raises(JobError, match=r"python -m jobs.evaluate --output"):
        read_metrics(str(tmp_path / "nothing"))
    plan_run(tmp_path)
    with pytest.raises(JobError, match="has not been evaluated"):
        read_metrics(str(tmp_path / "run"))


def test_damaged_records_are_told_with_the_way_out(tmp_path, model):
    plan_run(tmp_path, contents=1)
    stylize(tmp_path, model)
    judge_all(tmp_path / "run", model)
    (path,) = tmp_path.glob("run/evaluation/records/*")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(JobError, match="delete it and evaluate again"):
        works_of(tmp_path / "run")
    path.unlink()
    assert judge_all(tmp_path / "run", model).judged == 2


@pytest.mark.parametrize("size", [(30, 50), (7, 9), (1, 1)])
def test_a_content_gets_exactly_the_size_of_the_result(size):
    resized = in_size(torch.rand(3, 20, 31), size)
    assert resized.shape == (3, *size) and resized.min() >= 0 and resized.max() <= 1
    flat = in_size(torch.full((3, 20, 31), 0.25), size)
    torch.testing.assert_close(flat, torch.full((3, *size), 0.25))


def test_the_schema_holds_every_metric_and_nothing_that_is_not_a_number():
    assert [field.name for field in METRICS_SCHEMA if field.name in METRICS] == list(METRICS)
    assert all(METRICS_SCHEMA.field(name).type == pa.float64() for name in METRICS)
