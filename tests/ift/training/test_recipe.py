import pytest
from hypothesis import given
from hypothesis import strategies as st

from ift.training.recipe import DEFAULT, PAPER, RECIPES, schedule


def test_the_papers_training_is_that_of_the_supplement():
    epochs = {stage.levels[0][0]: stage.epochs for stage in PAPER.stages}
    assert epochs == {1: 3, 2: 3, 3: 5, 4: 5}
    assert {(stage.crop, stage.batch, stage.learning_rate, stage.terms) for stage in PAPER.stages} == {
        (256, 8, 1e-4, None)
    }
    assert PAPER.square == 512
    # MS-COCO's 82,783 training pictures in batches of 8.
    assert schedule(PAPER, 82_783) == (31_044, 31_044, 51_740, 51_740)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_stage_can_be_run(recipe):
    for stage in recipe.stages:
        assert (stage.steps is None) != (stage.epochs is None)
        assert stage.crop % 8 == 0
        assert {level for level, _ in stage.levels} == set(stage.terms or dict(stage.levels))
        # A block that no drawn autoencoder has would stay without a gradient.
        assert max(stage.blocks) <= max(level for level, _ in stage.levels)


@given(steps=st.integers(1, 10**6), photos=st.integers(1, 10**6))
def test_stages_keep_their_proportions(steps, photos):
    lengths, natural = schedule(DEFAULT, photos, steps), schedule(DEFAULT, photos)
    assert min(lengths) >= 1
    assert sum(lengths) == max(steps, len(lengths))
    if steps > 1000:
        shares = [length / sum(lengths) for length in lengths]
        assert shares == pytest.approx([length / sum(natural) for length in natural], abs=2e-3)


def test_the_learning_rate_rises_and_falls_along_a_cosine():
    stage = DEFAULT.stages[0]
    rates = [DEFAULT.learning_rate(stage, step, 1000) for step in range(1000)]
    top = max(range(1000), key=rates.__getitem__)
    assert 40 < top < 80
    assert rates[0] < stage.learning_rate / 50
    assert rates[500] == pytest.approx(stage.learning_rate * 0.51, rel=1e-3)
    assert rates[-1] == pytest.approx(stage.learning_rate * 0.02, rel=1e-2)
    assert [PAPER.learning_rate(PAPER.stages[0], step, 10) for step in (0, 9)] == [1e-4, 1e-4]
