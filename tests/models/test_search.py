"""The search classifier: mixture of predictions, glimpses, training, and validation of settings and inputs."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from glimpse.attention.window import Window, read
from glimpse.datasets.batches import Batch
from glimpse.models.candidates import overview_window
from glimpse.models.losses import SearchResult, search_loss
from glimpse.models.search import SearchClassifier, belief_mixture, rows_in_training
from glimpse.settings.search import SearchConfig
from tests.helpers.gradients import assert_every_parameter_learns, assert_gradients_are_finite
from tests.helpers.tensors import images, normal

SMALL = SearchConfig(glimpses=5, window=4, hidden=6, features=5, filters=2, extent=9.0, classes=7)


def small(**changes: int | float) -> SearchClassifier:
    """Returns a small seeded model in float64 with noise added to all parameters, in evaluation mode."""
    torch.manual_seed(0)
    model = SearchClassifier(replace(SMALL, **changes)).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, dtype=torch.float64))
    return model.eval()


def test_the_mixture_is_the_mean_of_class_probabilities_weighted_by_belief() -> None:
    belief, classes = normal(4, 3).log_softmax(dim=1), normal(4, 3, 5, seed=1).log_softmax(dim=2)
    mixed = belief_mixture(belief, classes)
    for row in range(4):
        for k in range(5):
            expected = sum(math.exp(belief[row, location]) * math.exp(classes[row, location, k]) for location in range(3))
            assert math.exp(mixed[row, k]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("glimpses", [1, 2, 3, 4, 5, 8, 12])
@pytest.mark.parametrize(("batch", "channels", "height", "width"), [(2, 1, 20, 20), (1, 3, 13, 29), (3, 2, 1, 1)])
def test_every_glimpse_has_a_prediction_and_a_window(glimpses: int, batch: int, channels: int, height: int, width: int) -> None:
    model = small(channels=channels)
    result = model(images(batch, channels, height, width), glimpses)
    assert result.logits.shape == (batch, glimpses, 7)
    torch.testing.assert_close(result.logits.exp().sum(dim=2), torch.ones(batch, glimpses, dtype=torch.float64))
    assert all(field.shape == (batch, glimpses) and field.isfinite().all() for field in result.window)
    reads = max(0, glimpses - 1 - max(1, min(3, glimpses - 2)))
    assert [log_p.shape for log_p in result.canvas_logits] == [(batch, 7)] * reads


def test_predictions_do_not_depend_on_other_images_of_the_batch() -> None:
    model, batch = small(), images(37, 1, 30, 24)
    single = torch.cat([model(image[None]).logits for image in batch])
    torch.testing.assert_close(single, model(batch).logits, rtol=1e-10, atol=1e-10)


def test_looks_are_at_the_most_likely_candidates_and_reads_at_one_of_them() -> None:
    model, batch = small(glimpses=8, nudge=0.0), images(6, 1, 60, 60)
    with torch.no_grad():
        model.reads.offset.zero_()
    _, window, canvas_logits, _ = model(batch)
    assert len(canvas_logits) == 4
    overview = overview_window(batch, 4)
    locations, _ = model.find(read(batch, overview, 4), overview, 60, 60)
    torch.testing.assert_close(torch.stack(window[:2], dim=2)[:, 1:4], locations)
    reads = torch.stack(window[:2], dim=2)[:, 4:]
    torch.testing.assert_close(reads, reads[:, :1].expand(-1, 4, -1))
    half = float(model.log_look_stride.detach().exp()) * 1.5  # from the center of a look to its outermost filter
    nearest = (reads[:, :1] - locations).abs().amax(dim=2).amin(dim=1)
    assert (nearest <= half).all()


def test_predictions_after_looks_equal_a_loop_over_the_looks() -> None:
    model, batch = small(glimpses=8), images(6, 1, 60, 60) ** 4
    logits, window, *_ = model(batch)
    overview = window.at(0)
    candidates = model.find(read(batch, overview, 4), overview, 60, 60)
    state = model._attend(model.lstm.initial(6), read(batch, overview, 4), overview, None, batch)
    classes = [model.guess(state.output).log_softmax(dim=1)] * 4
    torch.testing.assert_close(logits[:, 0], classes[0])
    log_weights = list(candidates.log_prior.unbind(dim=1))
    for k in range(3):
        glimpse = read(batch, window.at(1 + k), 4)
        features, _ = model.look_encoder(glimpse)
        state = model._attend(state, glimpse, window.at(1 + k), features, batch)
        log_weights[k] = log_weights[k] + (model.score(state.output) + model.score_look(features))[:, 0]
        classes[k] = model.classify_look(features).log_softmax(dim=1)
        belief = torch.stack(log_weights, dim=1).softmax(dim=1)
        mixed = sum(belief[:, [i]] * classes[i].exp() for i in range(4))
        torch.testing.assert_close(logits[:, 1 + k].exp(), mixed)


def test_four_reads_form_a_grid_that_is_twice_as_dense() -> None:
    model = SearchClassifier(SMALL)
    center, output = torch.full((1, 2), 30.0), torch.zeros(1, SMALL.hidden)
    windows = [model.reads(number, center, output).detached() for number in range(4)]
    found = set()
    for window in windows:
        for axis_x in range(4):
            for axis_y in range(4):
                x = (window.center_x + (axis_x - 1.5) * window.stride - 30) / SMALL.cell
                y = (window.center_y + (axis_y - 1.5) * window.stride - 30) / SMALL.cell
                found.add((round(float(x), 3), round(float(y), 3)))
    steps = sorted({x for x, _ in found})
    assert found == {(x, y) for x in steps for y in steps}
    np.testing.assert_allclose(np.diff(steps), 1, atol=1e-3)
    assert len(steps) == 8


def test_look_returns_the_windows_and_patches_as_a_track() -> None:
    model, batch = small(), images(3, 1, 30, 40)
    logits, window, *_ = model(batch, 4)
    looked, (track,) = model.look(batch, 4, patches=True)
    torch.testing.assert_close(looked, logits)
    torch.testing.assert_close(tuple(track.window), tuple(window))
    assert track.patches is not None
    assert (track.kind, track.n, track.patches.shape) == ("glimpse", 4, (3, 4, 1, 4, 4))
    assert model.shows_windows
    assert isinstance(window, Window)


@pytest.mark.parametrize(("glimpses", "reads"), [(1, 0), (2, 0), (4, 1), (8, 4)])
def test_the_track_has_the_canvas_put_together_by_the_reads_and_nothing_before_them(glimpses: int, reads: int) -> None:
    model, batch = small(), images(3, 1, 30, 40)
    seen: list[torch.Tensor] = []
    model.reader.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    _, (track,) = model.look(batch, glimpses, patches=True)
    assert track.canvases is not None
    assert track.canvases.shape == (3, glimpses, 1, 8, 8)
    assert not track.canvases[:, : glimpses - reads].any()
    classified = [part[i : i + 3] for part in seen for i in range(0, len(part), 3)]  # one canvas after another, of three images
    assert len(classified) == reads
    for t, canvas in enumerate(classified, start=glimpses - reads):
        torch.testing.assert_close(track.canvases[:, t], canvas[:, :1])
        assert canvas[:, :1].any()
    assert model.look(batch, glimpses)[1][0].canvases is None


# Training


def loss_of(model: SearchClassifier, batch: Batch, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the training loss and the logits for a random seed."""
    loss, logits, _ = model.training_loss(model, batch, torch.Generator().manual_seed(seed))
    return loss, logits


def batch_of(count: int, side: int = 40) -> Batch:
    """Returns a batch of seeded images in float64, labels and centers."""
    labels = torch.arange(count) % 7
    return Batch(images(count, 1, side, side) ** 4, labels, torch.zeros(count, 2))


def test_every_parameter_learns_if_all_reads_are_used() -> None:
    model = small(glimpses=10).train()
    loss, _ = loss_of(model, batch_of(20))
    loss.backward()  # type: ignore[no-untyped-call]
    assert_gradients_are_finite(model)
    assert_every_parameter_learns(model)


def test_the_loss_depends_only_on_its_generator() -> None:
    model, batch = small().train(), batch_of(20)
    torch.manual_seed(1)
    first, _ = loss_of(model, batch)
    torch.manual_seed(2)
    again, _ = loss_of(model, batch)
    others = {loss_of(model, batch, seed)[0].item() for seed in range(1, 4)}
    assert torch.equal(first, again)
    assert first.item() not in others


def test_predictions_depend_neither_on_labels_nor_on_positions() -> None:
    model, batch = small().train(), batch_of(20)
    _, logits = loss_of(model, batch)
    _, others = loss_of(model, batch._replace(labels=(batch.labels + 1) % 7, centers=batch.centers + 5))
    assert torch.equal(logits, others)


@pytest.mark.parametrize(("glimpses", "reads"), [(3, {1}), (4, {1, 2}), (5, {1, 2}), (8, {4, 5})])
def test_some_training_steps_have_one_look_less(glimpses: int, reads: set[int]) -> None:
    model, batch, seen = small(glimpses=glimpses).train(), batch_of(4), set()
    for seed in range(30):
        found: list[SearchResult] = []

        def network(*inputs: object, kept: list[SearchResult] = found) -> SearchResult:
            kept.append(model(*inputs))
            return kept[-1]

        model.training_loss(network, batch, torch.Generator().manual_seed(seed))  # type: ignore[arg-type]
        seen.add(len(found[0].canvas_logits))
    assert seen == reads


def test_the_loss_in_evaluation_mode_is_that_of_the_same_rows() -> None:
    model, batch = small(glimpses=8), batch_of(33)
    found: list[SearchResult] = []

    def network(*inputs: object) -> SearchResult:
        found.append(model(*inputs))
        return found[-1]

    model.training_loss(network, batch, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    (result,) = found
    assert list(result.rows) == rows_in_training(33, len(result.canvas_logits))
    assert [len(log_p) for log_p in result.canvas_logits] == [rows.stop - rows.start for rows in result.rows]


@pytest.mark.parametrize("reads", [1, 2, 4])
def test_some_rows_of_the_canvas_are_classified_as_all_rows_are_and_no_prediction_includes_them(reads: int) -> None:
    model, batch = small(glimpses=reads + 4), images(20, 1, 40, 40)
    rows = [*(slice(number, 5 + 2 * number) for number in range(reads - 1)), slice(0, 20)]
    whole, some = model(batch), model(batch, rows=rows)
    for part, ours, every in zip(rows, some.canvas_logits, whole.canvas_logits, strict=True):
        torch.testing.assert_close(ours, every[part])
    torch.testing.assert_close(some.logits[:, -1], whole.logits[:, -1])
    if reads > 1:
        assert not torch.allclose(some.logits[:, -2], whole.logits[:, -2])


@pytest.mark.parametrize(("glimpses", "looks"), [(1, 1), (4, 0), (4, 4), (8, 4)])
def test_a_number_of_looks_that_does_not_fit_is_refused(glimpses: int, looks: int) -> None:
    with pytest.raises(ValueError, match=f"looks must be . to ., got {looks}"):
        small()(images(2, 1, 20, 20), glimpses, looks)


def test_rows_of_another_number_of_reads_are_refused() -> None:
    with pytest.raises(ValueError, match="one slice for each of the 4 reads, got 1"):
        small()(images(2, 1, 20, 20), 8, rows=[slice(0, 2)])


def test_the_loss_is_the_weighted_cross_entropy_of_all_predictions() -> None:
    logits, labels = normal(2, 6, 3).log_softmax(dim=2), torch.tensor([2, 0])
    canvas_logits = tuple(normal(2, 3, seed=seed).log_softmax(dim=1) for seed in range(2))
    window = Window(*(torch.zeros(2, 6) for _ in range(5)))
    expected = 0.0
    for row, label in enumerate(labels.tolist()):
        for t in range(3):
            expected -= 0.3 * float(logits[row, t, label]) / 2
        expected -= float(logits[row, 3, label] + 0.3 * canvas_logits[0][row, label] + canvas_logits[1][row, label]) / 2
    result = SearchResult(logits, window, canvas_logits, (slice(0, 2), slice(0, 2)))
    assert float(search_loss(result, labels)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("batch", [1, 15, 16, 17, 100, 128])
@pytest.mark.parametrize("reads", [1, 2, 5, 20])
def test_the_last_canvas_of_every_image_is_classified(batch: int, reads: int) -> None:
    rows = rows_in_training(batch, reads)
    assert len(rows) == reads
    assert rows[-1] == slice(0, batch)
    assert all(0 <= each.start < each.stop <= batch for each in rows)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
def test_a_small_model_learns_to_find_and_classify_squares_and_crosses(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = SearchClassifier(replace(SMALL, glimpses=4, classes=2, filters=3, features=16, hidden=16, dropout=0.0)).train()
    optimizer, losses = torch.optim.AdamW(model.parameters(), 1e-2), []
    for _ in range(60):
        labels = torch.randint(2, (64,), generator=generator)
        places = torch.randint(4, 30, (64, 2), generator=generator)
        pictures = torch.zeros(64, 1, 40, 40)
        for picture, label, (x, y) in zip(pictures[:, 0], labels, places.tolist(), strict=True):
            picture[y : y + 6, x : x + 6] = 1.0
            if label:
                picture[y + 2 : y + 4, x : x + 2] = picture[y + 2 : y + 4, x + 4 : x + 6] = 0.0
                picture[y : y + 2, x + 2 : x + 4] = 0.0
        loss, logits, _ = model.training_loss(model, Batch(pictures, labels, places.float()), generator)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(torch.nn.functional.nll_loss(logits[:, -1], labels).item())
    assert all(map(math.isfinite, losses))
    assert np.mean(losses[-10:]) < 0.35 < math.log(2)


# Settings and inputs


def test_an_odd_window_is_refused() -> None:
    with pytest.raises(ValueError, match="window must be even, got 5"):
        SearchConfig(window=5)


@pytest.mark.parametrize("shape", [(3, 40, 40), (2, 3, 40, 40)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(B, 1, H, W\)"):
        small()(torch.zeros(shape))


def test_zero_glimpses_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        small()(torch.zeros(1, 1, 9, 9).double(), 0)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_uniform_images_have_finite_predictions_and_gradients(value: float) -> None:
    model = small().train()
    loss, logits = loss_of(model, Batch(torch.full((3, 1, 40, 30), value).double(), torch.tensor([1, 2, 3]), torch.zeros(3, 2)))
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.isfinite().all()
    assert_gradients_are_finite(model)


def test_windows_and_predictions_stay_in_float32_under_autocast() -> None:
    model, batch = small().float(), images(4, 1, 100, 100).float()
    exact = model(batch).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, window, canvas_logits, _ = model(batch)
    assert all(tensor.dtype == torch.float32 for tensor in (logits, *window, *canvas_logits))
    torch.testing.assert_close(logits, exact, rtol=0, atol=0.1)
