"""The trade-off's analysis, on measures made up so that the answer is known."""

from pathlib import Path

import numpy as np
import pytest

from jobs.experiments.pairs import Pair
from jobs.experiments.trade_off import Knob, PairSet, TradeOff, trials
from jobs.experiments.trade_off_figure import draw_trade_off
from jobs.experiments.trade_off_run import analyse
from jobs.experiments.trade_off_tables import Compared, facts, knob_rows, level_rows
from jobs.experiments.verdict import FRACTIONS

DEFINITION = TradeOff(
    knobs=(Knob("ift", "strength", (1.0, 2.0, 4.0)), Knob("wct", "alpha", (0.5, 1.0)), Knob("ost", "alpha", (1.0,))),
    sets=(PairSet("artistic", "artistic", 4),),
)
PAIRS = {"artistic": [Pair(Path(f"/c{number}.jpg"), Path(f"/s{number}.jpg")) for number in range(4)]}


def made_up(number):
    """Straight lines from (0.9, 1): IFT falls by 1 per unit of SSIM, WCT by 0.5, OST is IFT's line in one step."""
    above = number / 100
    points = {"start": (0.9, 1.0)}
    points |= {f"ift-{knob}": (0.9 - lost, 1 - lost) for knob, lost in ((1, 0.1), (2, 0.3), (4, 0.6))}
    points |= {f"wct-{knob}": (0.9 - lost, 1 - 0.5 * lost) for knob, lost in ((0.5, 0.2), (1, 0.5))}
    points |= {"ost-1": (0.5, 0.6)}
    return {suffix: (ssim + above, style) for suffix, (ssim, style) in points.items()}


@pytest.fixture
def measures():
    found = {}
    for number, pair in enumerate(PAIRS["artistic"]):
        for suffix, (ssim, style) in made_up(number).items():
            found[f"artistic-{number:03d}-{pair.content.stem}-{pair.style.stem}-{suffix}"] = {
                "ssim": ssim, "content_distance": 1 - ssim, "gram_distance": style, "mean_std_distance": 2 * style,
                "feature_frechet": style,
            }  # fmt: skip
    assert found.keys() == {trial.pair_id for trial in trials(DEFINITION, PAIRS)}
    return found


def test_verdicts_are_the_distances_between_the_lines(measures):
    found = analyse(DEFINITION, PAIRS, measures)
    for content in ("ssim", "content_distance"):
        ift, wct, ost = found[Compared("artistic", content, "gram_distance")]
        # WCT ends at 0.4, before IFT does; at a fraction f of 0.9 to 0.4, IFT is at 1 − 0.5 f and WCT at 1 − 0.25 f.
        expected = 0.25 * FRACTIONS
        assert (ift.difference.mean, ift.lower) == (0, 0)
        assert ost.difference.mean == pytest.approx(0, abs=1e-12)
        assert wct.difference.mean == pytest.approx(expected.mean())
        assert wct.difference.high - wct.difference.low == pytest.approx(0, abs=1e-9)  # all pairs say the same
        assert wct.relative.mean == pytest.approx((expected / (1 - 0.5 * FRACTIONS)).mean())
        assert (wct.lower, wct.pairs, wct.without_range) == (1, 4, 0)
        assert [level.difference.mean for level in wct.levels] == pytest.approx(list(expected))
        assert [level.fraction for level in wct.levels] == pytest.approx(list(FRACTIONS))
        assert [knob.value for knob in ift.knobs] == [0, 1, 2, 4]
        assert ift.knobs[-1].style.mean == pytest.approx(0.4) and ift.knobs[0].style.mean == 1
    ssim = found[Compared("artistic", "ssim", "gram_distance")][0]
    assert ssim.levels[0].content.mean == pytest.approx(0.9 - 0.06 + 0.015)  # IFT itself goes down to 0.3
    distance = found[Compared("artistic", "content_distance", "gram_distance")][0]
    assert distance.levels[0].content.mean == pytest.approx(1 - (0.9 - 0.06 + 0.015))
    doubled = found[Compared("artistic", "ssim", "mean_std_distance")][1]
    assert doubled.difference.mean == pytest.approx(2 * (0.25 * FRACTIONS).mean())


def test_a_pair_with_a_result_missing_or_unmeasured_is_left_out(measures):
    first, second = (next(key for key in measures if key.startswith(f"artistic-00{number}")) for number in (0, 1))
    measures.pop(first)
    measures[second]["gram_distance"] = None
    found = analyse(DEFINITION, PAIRS, measures)
    assert found[Compared("artistic", "ssim", "gram_distance")][1].pairs == 2
    assert found[Compared("artistic", "ssim", "feature_frechet")][1].pairs == 3


def test_with_nothing_measured_there_is_no_verdict_and_no_crash(measures):
    found = analyse(DEFINITION, PAIRS, {})
    assert found[Compared("artistic", "ssim", "gram_distance")][1].difference.mean is None
    assert facts(found)[0]["pairs"] == 0
    assert level_rows(found)[0]["difference"] is None
    draw_trade_off({"artistic": found[Compared("artistic", "ssim", "gram_distance")]}, "a", "b", falls=False)


def test_the_tables_hold_what_the_verdicts_say(measures):
    found = analyse(DEFINITION, PAIRS, measures)
    rows = level_rows(found)
    assert len(rows) == 2 * 3 * 3 * (1 + len(FRACTIONS))
    whole = [row for row in rows if row["level"] == "" and row["method"] == "wct"]
    assert whole[0]["difference"] == pytest.approx((0.25 * FRACTIONS).mean())
    assert len(knob_rows(found)) == 2 * 3 * (4 + 3 + 2)
    fact = next(each for each in facts(found) if each["method"] == "wct" and each["content_measure"] == "ssim")
    assert fact["strongest"]["content"][0] == pytest.approx(0.4 + 0.015)


def test_the_figure_shows_each_method_by_its_knob_and_against_the_reference(measures):
    found = analyse(DEFINITION, PAIRS, measures)
    verdicts = found[Compared("artistic", "ssim", "gram_distance")]
    figure = draw_trade_off({"artistic": verdicts}, "ssim", "gram_distance", falls=False)
    top, below = figure.axes
    lines = {line.get_label(): line for line in top.get_lines()}
    assert list(lines["wct"].get_ydata()) == pytest.approx([1, 0.9, 0.75])
    assert list(lines["wct"].get_xdata()) == pytest.approx([0.915, 0.715, 0.415])
    assert top.xaxis_inverted()
    relative = next(line for line in below.get_lines() if line.get_label() == "wct")
    assert relative.get_ydata() == pytest.approx(100 * 0.25 * FRACTIONS / (1 - 0.5 * FRACTIONS))
    assert np.isfinite(top.get_xlim()).all()
