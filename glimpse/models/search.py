"""Recurrent classifier that searches an image for the object: overview, looks at candidates, and reads of the chosen one.

Positions are pixels counted from 0, x before y. Dimensions: B images, C channels, H rows, W columns, T glimpses of n x n values, K
candidates, L looks, R reads, with T = 1 + L + R.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623 (windows of Gaussian filters).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.attention.precision import in_float32
from glimpse.attention.track import Track
from glimpse.attention.window import Window, read
from glimpse.models.base import ImageClassifier
from glimpse.models.candidates import CandidateMap, Candidates, overview_window
from glimpse.models.canvas import Canvas, CanvasClassifier, ReadPattern, imprint
from glimpse.models.encoder import LookEncoder
from glimpse.models.inputs import check_inputs
from glimpse.models.losses import SearchResult, search_loss
from glimpse.models.lstm import LSTM, LSTMState
from glimpse.models.noise import draw_share
from glimpse.settings.search import SearchConfig

__all__ = ["SearchClassifier", "belief_mixture", "rows_in_training"]

_FEWER_LOOKS = 0.25  # fraction of training steps with one look less, so that the model also works with fewer glimpses
_LOOK_WEIGHT, _LOOK_SIGMA = 0.05, 0.35  # weight of a look on the canvas, where a read has weight 1, and its sigma in strides
_READ_SIGMA = 0.45  # sigma of a read on the canvas, in cells


@dataclass
class _Search:
    """State of the search in B images, updated at every glimpse.

    Attributes:
        images: Shape (B, C, H, W).
        state: State of the LSTM.
        candidates: Candidate locations.
        classes: Class log-probabilities for an object at each candidate, and last elsewhere; K + 1 tensors of shape (B, classes).
        scores: Score that a look at each candidate adds to its log-prior, 0 before the look; K tensors of shape (B,).
        windows: Windows of the glimpses.
        logits: Class log-probabilities after every glimpse, shape (B, classes) each.
        canvases: Canvas after every read as an image, R tensors of shape (B', C + 1, G, G), for the rows that are classified.
    """

    images: Tensor
    state: LSTMState
    candidates: Candidates
    classes: list[Tensor]
    scores: list[Tensor]
    windows: list[Window]
    logits: list[Tensor]
    canvases: list[Tensor] = field(default_factory=list)

    @property
    def belief(self) -> Tensor:
        """Log-probabilities that the object is at each candidate and, last, that it is elsewhere, shape (B, K + 1)."""
        prior = self.candidates.log_prior
        return torch.cat([prior[:, :-1] + torch.stack(self.scores, dim=1), prior[:, -1:]], dim=1).log_softmax(dim=1)

    def predict(self) -> None:
        """Appends the current prediction to `logits`."""
        self.logits.append(belief_mixture(self.belief, torch.stack(self.classes, dim=1)))


class _Looks(NamedTuple):
    """Looks at L candidates: glimpses of shape (B, L, C, n, n), and the centers (x, y) of the object in them, shape (B, L, 2)."""

    glimpses: Tensor
    centers: Tensor


class SearchClassifier(ImageClassifier):
    """LSTM that searches an image with coarse glimpses and reads one location finely, with a class prediction after each glimpse.

    The first glimpse, the overview, covers the whole image; a small network on it predicts candidate locations of the object. The
    next glimpses look at the most likely candidates, and each look adds a score to the log-probability of its candidate. All
    remaining glimpses read the candidate that is then the most likely. The grids of the reads are interleaved, at learned offsets
    plus a shift that depends on the state: initially the first four form a grid that is twice as dense. The look at the chosen
    candidate and the reads are accumulated on a canvas around it, which a convolutional network classifies.

    The prediction is a mixture over the candidates and all other locations, weighted by their probabilities; for locations without
    a look the class probabilities are those after the overview. The likelihood of the labels therefore trains the choice of the
    candidate, and no locations of objects are needed in training.

    Args:
        config: Settings; the defaults if None.
    """

    config_class = SearchConfig
    config: SearchConfig

    def __init__(self, config: SearchConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SearchConfig()
        features, hidden, classes = config.features, config.hidden, config.classes
        self.find = CandidateMap(config)
        self.encode = nn.Sequential(nn.Linear(config.channels * config.window**2, features), nn.LayerNorm(features), nn.ReLU())
        self.place = nn.Linear(4, features)
        self.look_encoder = LookEncoder(config)
        self.log_look_stride = nn.Parameter(torch.tensor(config.extent / config.window).log())
        self.lstm = LSTM(features, hidden)
        self.guess, self.classify_look = nn.Linear(hidden, classes), nn.Linear(features, classes)
        self.score, self.score_look = nn.Linear(hidden, 1), nn.Linear(features, 1)
        self.reads = ReadPattern(config)
        self.reader = CanvasClassifier(config)  # named as in the shipped weights
        self.to(memory_format=torch.channels_last)  # a tenth faster on a CPU

    def forward(
        self,
        images: Tensor,
        glimpses: int | None = None,
        looks: int | None = None,
        rows: Sequence[slice] | None = None,
        dropout: Tensor | None = None,
    ) -> SearchResult:
        """Returns the class log-probabilities after every glimpse, the windows, and the class log-probabilities of the canvas.

        Args:
            images: Shape (B, C, H, W), 0 to 1; H and W may differ and change from call to call.
            glimpses: Number of glimpses T, at least 1; the config's if None.
            looks: Number of looks L: from 1 to T - 1 and at most the config's number of candidates, or 0 with a single glimpse. If
                None, the largest number that leaves a glimpse for a read; 1 with two glimpses.
            rows: Rows of the batch whose canvas is classified after each read, R slices; all rows after every read if None.
            dropout: Factors of the convolutional features of the canvas, shape (total number of these rows, features); no dropout
                if None.

        Raises:
            ValueError: If the number of channels is not the config's, there are no glimpses, the number of looks is out of range,
                or there is not one slice per read.
        """
        search, canvas_logits, rows = self._searched(images, glimpses, looks, rows, dropout)
        return SearchResult(torch.stack(search.logits, dim=1), Window.stacked(search.windows), canvas_logits, rows)

    def look(
        self, images: Tensor, glimpses: int | None = None, uniforms: Tensor | None = None, *, patches: bool = False
    ) -> tuple[Tensor, tuple[Track, ...]]:
        """Returns the class log-probabilities after every glimpse and the windows as tracks.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            glimpses: Number of glimpses T; the config's if None.
            uniforms: Unused; the model is deterministic.
            patches: Whether to include the glimpses in the track, and the canvas, without its coverage, after every glimpse.

        Returns:
            Log-probabilities of shape (B, T, classes), and one track. Its canvases have 2n x 2n cells, and are 0 before the reads.

        Raises:
            ValueError: As `forward`.
        """
        search, _, rows = self._searched(images, glimpses, None, None, None)
        logits, window, n = torch.stack(search.logits, dim=1), Window.stacked(search.windows), self.config.window
        if not patches:
            return logits, (Track("glimpse", 0, n, window),)
        glimpsed = torch.stack([read(images, window.at(t), n) for t in range(logits.shape[1])], dim=1)
        empty = glimpsed.new_zeros(images.shape[0], self.config.channels, 2 * n, 2 * n)
        written = [canvas[:, :-1].to(empty) for canvas in search.canvases]
        canvases = torch.stack([empty] * (logits.shape[1] - len(rows)) + written, dim=1)
        return logits, (Track("glimpse", 0, n, window, glimpsed, canvases),)

    def named_outputs(self, images: Tensor, **inputs: Any) -> dict[str, Tensor]:
        """Returns `probabilities`, shape (B, T, K), `windows`, (B, T, 1, 5), and with reads `canvases`, (B, R, C + 1, 2n, 2n).

        The channels of a canvas are the weighted means of what was read, and last the coverage in 0 to 1.
        """
        search, _, _ = self._searched(images, inputs.get("glimpses"), None, None, None)
        probabilities = torch.stack(search.logits, dim=1).softmax(dim=-1)
        outputs = {"probabilities": probabilities, "windows": Window.stacked(search.windows).as_tensor()[:, :, None]}
        return outputs | ({"canvases": torch.stack(search.canvases, dim=1)} if search.canvases else {})

    @property
    def shows_windows(self) -> bool:
        """Whether the model has windows: True."""
        return True

    @property
    def capturable(self) -> bool:
        """Whether training can be captured as a CUDA graph: False, since the number of looks varies between training steps."""
        return False

    def training_loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Returns the loss of `search_loss`, for a quarter of the steps with one look less, and the logits; see the base class."""
        fewer = torch.rand((), generator=generator, device=generator.device).item() < _FEWER_LOOKS
        looks = self._looks(self.glimpses)
        looks -= fewer and looks > 1
        rows = rows_in_training(len(batch.images), self.glimpses - 1 - looks)
        result: SearchResult = network(batch.images, None, looks, rows, self._dropout(rows, generator))
        return search_loss(result, batch.labels), result.logits, {}

    def _searched(
        self, images: Tensor, glimpses: int | None, looks: int | None, rows: Sequence[slice] | None, dropout: Tensor | None
    ) -> tuple[_Search, tuple[Tensor, ...], tuple[slice, ...]]:
        """Returns the finished search, `canvas_logits` and the rows of each read, for the arguments of `forward`."""
        config = self.config
        steps = config.glimpses if glimpses is None else glimpses
        check_inputs(images, config.channels, steps, None, self.guess.weight.dtype)
        looks, least = self._looks(steps) if looks is None else looks, min(1, steps - 1)
        if not least <= looks <= min(steps - 1, config.candidates):
            raise ValueError(f"looks must be {least} to {min(steps - 1, config.candidates)}, got {looks}")
        rows = (slice(0, images.shape[0]),) * (steps - 1 - looks) if rows is None else tuple(rows)
        if len(rows) != steps - 1 - looks:
            raise ValueError(f"rows must have one slice for each of the {steps - 1 - looks} reads, got {len(rows)}")
        search = self._overview(images)
        looked = self._look_at_candidates(search, looks) if looks else None
        canvas_logits = self._read_candidate(search, looked, rows, dropout) if looked is not None and rows else ()
        return search, canvas_logits, rows

    def _looks(self, glimpses: int) -> int:
        """Returns the default number of looks: that of the candidates, reduced to leave a glimpse for a read, but not below 1.

        With a single glimpse, the overview, it is 0.
        """
        return min(glimpses - 1, max(1, min(self.config.candidates, glimpses - 2)))

    def _dropout(self, rows: Sequence[slice], generator: torch.Generator) -> Tensor | None:
        """Returns random dropout factors with mean 1 for the canvas; None without reads or without dropout."""
        share = self.config.dropout
        if share == 0 or not rows:
            return None
        count = sum(part.stop - part.start for part in rows)
        kept = draw_share(torch.rand, count, self.reader.found, generator=generator) >= share
        return kept / (1 - share)

    def _overview(self, images: Tensor) -> _Search:
        """Returns the search after the overview: with candidates, and the same class log-probabilities for all of them."""
        config = self.config
        window = overview_window(images, config.window)
        overview = read(images, window, config.window)
        candidates = self.find(overview, window, *images.shape[2:])
        state = self._attend(self.lstm.initial(images.shape[0]), overview, window, None, images)
        guess = _log_softmax(self.guess, state.output)
        count = config.candidates
        return _Search(
            images=images,
            state=state,
            candidates=candidates,
            classes=[guess] * (count + 1),
            scores=[torch.zeros_like(candidates.log_prior[:, 0])] * count,
            windows=[window],
            logits=[guess],
        )

    def _look_at_candidates(self, search: _Search, looks: int) -> _Looks:
        """Looks at the most likely candidates, one per glimpse, with a prediction after each."""
        images, locations = search.images, search.candidates.locations[:, :looks]
        stride = self.log_look_stride.exp().to(locations.dtype).expand(images.shape[0])
        one = torch.ones_like(stride)
        windows = [Window(x, y, stride, stride / 2, one) for x, y in (at.unbind(dim=1) for at in locations.unbind(dim=1))]
        glimpses = torch.stack([read(images, window, self.config.window) for window in windows], dim=1)
        features, offsets = self.look_encoder(glimpses.flatten(0, 1))  # one batch, for batch normalization
        classes, scores = _log_softmax(self.classify_look, features), _linear(self.score_look, features)
        features, classes, scores, offsets = (
            each.unflatten(0, (images.shape[0], looks)) for each in (features, classes, scores, offsets)
        )
        for k, window in enumerate(windows):
            search.state = self._attend(search.state, glimpses[:, k], window, features[:, k], images)
            search.scores[k] = (_linear(self.score, search.state.output) + scores[:, k])[:, 0]
            search.classes[k] = classes[:, k]
            search.windows.append(window)
            search.predict()
        return _Looks(glimpses, locations + stride[:, None, None] * offsets)

    def _read_candidate(
        self, search: _Search, looks: _Looks, rows: tuple[slice, ...], dropout: Tensor | None
    ) -> tuple[Tensor, ...]:
        """Reads the most likely of the candidates with a look, predicts after each read, and returns `canvas_logits`."""
        belief = search.belief
        chosen = belief[:, : looks.centers.shape[1]].detach().argmax(dim=1)
        canvases = self._canvases(search, looks, chosen, rows)
        log_p = self.reader(torch.cat(canvases), dropout)  # one batch, for batch normalization
        canvas_logits: tuple[Tensor, ...] = torch.split(log_p, [canvas.shape[0] for canvas in canvases])
        classes = torch.stack(search.classes, dim=1)
        here = F.one_hot(chosen, classes.shape[1]).bool()[..., None]  # (B, K + 1, 1)
        for found in canvas_logits:
            is_whole = found.shape[0] == chosen.shape[0]
            updated = torch.where(here, found[:, None], classes) if is_whole else classes
            search.logits.append(belief_mixture(belief, updated))
        return canvas_logits

    def _canvases(self, search: _Search, looks: _Looks, chosen: Tensor, rows: tuple[slice, ...]) -> list[Tensor]:
        """Reads the chosen candidates (B,), and returns their canvases after each read for these rows of the batch."""
        config, images = self.config, search.images
        center = _chosen(looks.centers, chosen)
        canvas = self._canvas_of_look(search, looks, chosen, center)
        canvases = search.canvases
        for number, part in enumerate(rows):
            window = self.reads(number, center, search.state.output)
            glimpse = read(images, window, config.window)
            if number < len(rows) - 1:  # no window follows the last one
                search.state = self._attend(search.state, glimpse, window, None, images)
            canvas = canvas.plus(imprint(glimpse, window, center, config.cell, torch.full_like(window.stride, _READ_SIGMA)))
            search.windows.append(window)
            canvases.append(canvas.image(part))
        return canvases

    def _canvas_of_look(self, search: _Search, looks: _Looks, chosen: Tensor, center: Tensor) -> Canvas:
        """Returns the canvas around a center (B, 2) after the look at the chosen candidate (B,)."""
        x, y = _chosen(search.candidates.locations, chosen).unbind(dim=1)
        window = search.windows[1]._replace(center_x=x, center_y=y)  # all looks have the same stride, sigma and intensity
        cell = self.config.cell
        return imprint(_chosen(looks.glimpses, chosen), window, center, cell, _LOOK_SIGMA / cell * window.stride, _LOOK_WEIGHT)

    @in_float32
    def _attend(self, state: LSTMState, glimpse: Tensor, window: Window, feature: Tensor | None, images: Tensor) -> LSTMState:
        """Returns the state of the LSTM after a glimpse.

        Args:
            state: State before the glimpse.
            glimpse: Shape (B, C, n, n).
            window: Window of the glimpse, fields of shape (B,).
            feature: Features of a look from `LookEncoder`, shape (B, features), added to the input; None for other glimpses.
            images: Images, shape (B, C, H, W), whose size normalizes the location.
        """
        inputs: Tensor = self.encode(glimpse.flatten(1)) + self.place(_window_features(window, *images.shape[2:]))
        updated: LSTMState = self.lstm(inputs if feature is None else inputs + feature, state)
        return updated


def rows_in_training(batch: int, reads: int) -> list[slice]:
    """Returns the rows of a batch whose canvas is classified after each read in training, one slice per read.

    With at least 16 images these are all rows after the last read, and only some rows after the earlier reads, which saves time.
    With fewer images they are always all rows.

    >>> rows_in_training(128, 4)
    [slice(0, 32, None), slice(32, 40, None), slice(40, 48, None), slice(0, 128, None)]
    """
    whole = slice(0, batch)
    if batch < 16 or reads < 2:
        return [whole] * reads
    few = batch // 16
    starts = [(batch // 4 + number * few) % (batch - few) for number in range(reads - 2)]
    return [slice(0, batch // 4), *(slice(start, start + few) for start in starts), whole]


def belief_mixture(belief: Tensor, classes: Tensor) -> Tensor:
    """Returns class log-probabilities, shape (B, classes), of a mixture over locations.

    Args:
        belief: Log-probabilities of K + 1 locations of the object, shape (B, K + 1).
        classes: Class log-probabilities given each location, shape (B, K + 1, classes).
    """
    return (belief[..., None] + classes).logsumexp(dim=1)


@in_float32
def _linear(layer: nn.Module, features: Tensor) -> Tensor:
    """Returns the outputs of a layer for features (B, features), at least float32."""
    outputs: Tensor = layer(features)
    return outputs


def _log_softmax(layer: nn.Module, features: Tensor) -> Tensor:
    """Returns class log-probabilities (B, classes) of a layer for features (B, features), at least float32."""
    return _linear(layer, features).log_softmax(dim=1)


def _chosen(values: Tensor, chosen: Tensor) -> Tensor:
    """Returns values[b, chosen[b]] for each b, shape (B, ...), for values of shape (B, K, ...)."""
    return values[torch.arange(chosen.shape[0], device=chosen.device), chosen]


def _window_features(window: Window, height: int, width: int) -> Tensor:
    """Returns the center, stride and sigma of a window in an image of H x W pixels as four values of order 1, shape (B, 4)."""
    x, y, stride, sigma, _ = window
    return torch.stack([2 * x / width - 1, 2 * y / height - 1, stride.log() - 1, sigma.log()], dim=1)
