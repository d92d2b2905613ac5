"""Recurrent classifier that looks at likely places, chooses one, and reads it by interleaved windows onto a canvas.

Positions are pixels counted from 0, x before y. Dimensions: B images, C channels, H rows, W columns, T glimpses of n x n, K
candidates, L looks, R reads.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623 (windows of Gaussian filters).
"""

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
from glimpse.models.canvas import MOMENTUM, CanvasReader, ReadPattern, imprint
from glimpse.models.convolutional import normalized_convolution
from glimpse.models.encoder import check_input
from glimpse.models.linear import Linear
from glimpse.models.lstm import LSTM, LSTMState
from glimpse.models.placing import brightness, expected_offset
from glimpse.settings.search import SearchConfig

__all__ = ["LookEncoder", "SearchClassifier", "SearchResult", "belief_mixture", "rows_read", "search_loss"]

_FEWER_LOOKS = 0.25  # of the training steps have one look less, so that fewer glimpses than trained are no surprise
_EARLY = 0.3  # weight in the loss of every prediction before the last look's, and of every reading before the last
_LOOK_WEIGHT, _LOOK_SIGMA = 0.05, 0.35  # of a look on the canvas, where a read counts 1; its deviation in strides
_READ_SIGMA = 0.45  # of a read on the canvas, in cells
_CONTRAST = 3.0  # gain of brightness in a look at the start: the brightest filter weighs e^3 times the mean one


class SearchResult(NamedTuple):
    """What a search classifier believes, and where it looked.

    Attributes:
        logits: Log-probabilities after every glimpse, shape (B, T, classes). In training those after a read but the last leave out
            what was read.
        window: Fields of shape (B, T), in pixels.
        readings: Log-probabilities of what each read completed, as it is, whatever the belief: R tensors (B', classes) of the rows
            that `rows_read` names.
    """

    logits: Tensor
    window: Window
    readings: tuple[Tensor, ...]


@dataclass
class _Search:
    """A search under way on B images: grows by a window, its patch and a prediction at each glimpse.

    Attributes:
        images: Shape (B, C, H, W).
        state: Of the LSTM.
        candidates: Places.
        classes: For each candidate, and last for everywhere else, log-probabilities of the classes, shape (B, classes) each.
        centers: For each candidate its center (x, y) as far as it is known, shape (B, 2) each.
        scores: For each candidate what a look at it added to its log-prior, shape (B,) each.
        windows: One a glimpse.
        looks: What each look saw, shape (B, C, n, n) each.
        logits: After every glimpse, shape (B, classes) each.
    """

    images: Tensor
    state: LSTMState
    candidates: Candidates
    classes: list[Tensor]
    centers: list[Tensor]
    scores: list[Tensor]
    windows: list[Window]
    looks: list[Tensor] = field(default_factory=list)
    logits: list[Tensor] = field(default_factory=list)

    @property
    def belief(self) -> Tensor:
        """Log-probabilities that the object is at each candidate, and anywhere else, shape (B, K + 1)."""
        prior = self.candidates.log_prior
        return torch.cat([prior[:, :-1] + torch.stack(self.scores, dim=1), prior[:, -1:]], dim=1).log_softmax(dim=1)

    def predict(self) -> None:
        """Adds the prediction of now."""
        self.logits.append(belief_mixture(self.belief, torch.stack(self.classes, dim=1)))


class SearchClassifier(ImageClassifier):
    """LSTM that searches an image with coarse glimpses, chooses a place and reads it finely, with a prediction after each glimpse.

    The first glimpse sees the whole image. The next ones look at the places that a small network on it finds likeliest. All others
    read the looked-at place that is likeliest by the LSTM's scores added to those log-probabilities. The grids of the reads lie
    between one another's filters, at learned offsets that the state nudges: four of them make one twice as dense. What was seen of
    the place is written onto a canvas around it, which a convolutional network classifies.

    The prediction is a mixture over the candidates and everywhere else, weighted by belief; a place that was not seen has the guess
    after the overview. So the likelihood of the labels trains the choice of place: it never learns where the object is.

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
        self.encode = nn.Sequential(Linear(config.channels * config.window**2, features), nn.LayerNorm(features), nn.ReLU())
        self.place = nn.Linear(4, features)
        self.look_encoder = LookEncoder(config)
        self.log_look_stride = nn.Parameter(torch.tensor(config.extent / config.window).log())
        self.lstm = LSTM(features, hidden)
        self.guess, self.classify_look = nn.Linear(hidden, classes), nn.Linear(features, classes)
        self.score, self.score_look = nn.Linear(hidden, 1), nn.Linear(features, 1)
        self.reads = ReadPattern(config)
        self.reader = CanvasReader(config)
        self.to(memory_format=torch.channels_last)  # of the convolutions: a tenth faster on a CPU

    def forward(
        self, images: Tensor, glimpses: int | None = None, looks: int | None = None, dropout: Tensor | None = None
    ) -> SearchResult:
        """Returns what the model believes after every glimpse and where it looked.

        Args:
            images: Shape (B, C, H, W), 0 to 1; H and W may differ and change from call to call.
            glimpses: Number of glimpses T, at least 1; the config's if None.
            looks: At most this number of looks; the config's number of candidates if None.
            dropout: Factors on what the reader's convolutions find, shape (rows of `rows_read`, values); None leaves it as it is.

        Raises:
            ValueError: If the images have another number of channels than the model, or there are no glimpses.
        """
        config = self.config
        steps = check_input(images, config.channels, config.glimpses if glimpses is None else glimpses, None)
        looks = self._looks(steps, config.candidates if looks is None else looks)
        search = self._begun(images)
        if looks:
            self._look_at(search, looks)
        readings = self._read_place(search, looks, steps - 1 - looks, dropout)
        return SearchResult(torch.stack(search.logits, dim=1), Window.stacked(search.windows), readings)

    def look(
        self, images: Tensor, glimpses: int | None = None, uniforms: Tensor | None = None, *, patches: bool = False
    ) -> tuple[Tensor, tuple[Track, ...]]:
        """Returns the logits of `forward`, shape (B, T, classes), and the windows as one track.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            glimpses: Number of glimpses T; the config's if None.
            uniforms: Without effect: nothing is random.
            patches: Whether the track is to hold what was seen.
        """
        logits, window, _ = self(images, glimpses)
        n = self.config.window
        seen = torch.stack([read(images, window.at(t), n) for t in range(logits.shape[1])], dim=1) if patches else None
        return logits, (Track("glimpse", 0, n, window, seen),)

    @property
    def shows_windows(self) -> bool:
        """It looks through windows."""
        return True

    @property
    def capturable(self) -> bool:
        """A training step has one look less at random: two graphs would be needed."""
        return False

    def training_loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Returns the loss of `search_loss`, now and then with one look less, and the logits; see the base class."""
        fewer = torch.rand((), generator=generator, device=generator.device).item() < _FEWER_LOOKS
        looks = self._looks(self.glimpses, self.config.candidates - fewer)
        dropout = self._dropout(len(batch.images), self.glimpses - 1 - looks, generator)
        result: SearchResult = network(batch.images, None, looks, dropout)
        return search_loss(result, batch.labels), result.logits, {}

    def _looks(self, glimpses: int, most: int) -> int:
        """Returns how many of the glimpses are looks: one at least is left to read, unless there are only two."""
        return min(glimpses - 1, max(1, min(most, self.config.candidates, glimpses - 2)))

    def _dropout(self, batch: int, reads: int, generator: torch.Generator) -> Tensor | None:
        """Returns random factors for the reader in training, 0 or such that their mean is 1; None if nothing is read or dropped."""
        share = self.config.dropout
        if share == 0 or reads == 0:
            return None
        count = sum(rows.stop - rows.start for rows in rows_read(batch, reads, training=True))
        kept = torch.rand(count, self.reader.found, generator=generator, device=generator.device) >= share
        return kept / (1 - share)

    def _begun(self, images: Tensor) -> _Search:
        """Returns a search after the overview: with candidates, each with the guess for its classes."""
        config = self.config
        window = overview_window(images, config.window)
        overview = read(images, window, config.window)
        candidates = self.find(overview, window, *images.shape[2:])
        state = self._attend(self.lstm.initial(len(images)), overview, window, None, images)
        guess = _log_softmax(self.guess, state.output)
        count = config.candidates
        search = _Search(
            images=images,
            state=state,
            candidates=candidates,
            classes=[guess] * (count + 1),
            centers=list(candidates.places.unbind(dim=1)),
            scores=[torch.zeros_like(candidates.log_prior[:, 0])] * count,
            windows=[window],
        )
        search.logits.append(guess)
        return search

    def _look_at(self, search: _Search, looks: int) -> None:
        """Looks at the likeliest candidates, one a glimpse, with a prediction after each."""
        places = search.candidates.places[:, :looks]
        images = search.images
        stride = self.log_look_stride.exp().to(places.dtype).expand(len(images))
        one = torch.ones_like(stride)
        windows = [Window(x, y, stride, stride / 2, one) for x, y in (place.unbind(dim=1) for place in places.unbind(dim=1))]
        seen = [read(images, window, self.config.window) for window in windows]
        features, shifts = self.look_encoder(torch.stack(seen, dim=1).flatten(0, 1))  # one batch, for batch normalization
        features, shifts = features.unflatten(0, (-1, looks)), shifts.unflatten(0, (-1, looks))
        for k, (window, patch) in enumerate(zip(windows, seen, strict=True)):
            feature = features[:, k]
            search.state = self._attend(search.state, patch, window, feature, images)
            search.centers[k] = places[:, k] + stride[:, None] * shifts[:, k]
            search.scores[k] = self._score(search.state.output, feature)
            search.classes[k] = _log_softmax(self.classify_look, feature)
            search.windows.append(window)
            search.looks.append(patch)
            search.predict()

    def _read_place(self, search: _Search, looks: int, reads: int, dropout: Tensor | None) -> tuple[Tensor, ...]:
        """Reads the likeliest place that was looked at, with a prediction after each glimpse; returns the readings."""
        if reads == 0:
            return ()
        chosen = search.belief[:, :looks].detach().argmax(dim=1)
        canvases = self._canvases(search, chosen, looks, reads)
        log_p = self.reader(torch.cat(canvases), dropout)  # one batch, for batch normalization
        readings: tuple[Tensor, ...] = torch.split(log_p, [len(canvas) for canvas in canvases])
        belief, classes = search.belief, torch.stack(search.classes, dim=1)
        here = F.one_hot(chosen, classes.shape[1]).bool()[..., None]  # (B, K + 1, 1)
        for reading in readings:
            is_whole = len(reading) == len(chosen)
            known = torch.where(here, reading[:, None], classes) if is_whole else classes
            search.logits.append(belief_mixture(belief, known))
        return readings

    def _canvases(self, search: _Search, chosen: Tensor, looks: int, reads: int) -> list[Tensor]:
        """Returns the canvases of the chosen candidates (B,) after each read, of the rows that `rows_read` names."""
        config, images = self.config, search.images
        center = _chosen(search.centers[:looks], chosen)
        look = Window(*(_chosen(list(values), chosen) for values in zip(*search.windows[1 : 1 + looks], strict=True)))
        sigma = _LOOK_SIGMA / config.cell * look.stride
        canvas = imprint(_chosen(search.looks, chosen), look, center, config.cell, sigma, _LOOK_WEIGHT)
        canvases = []
        for number, rows in enumerate(rows_read(len(images), reads, training=self.training)):
            window = self.reads(number, center, search.state.output)
            patch = read(images, window, config.window)
            if number < reads - 1:  # the last state places no window
                search.state = self._attend(search.state, patch, window, None, images)
            canvas = canvas.joined(imprint(patch, window, center, config.cell, _READ_SIGMA))
            search.windows.append(window)
            canvases.append(canvas.image(rows))
        return canvases

    @in_float32
    def _attend(self, state: LSTMState, patch: Tensor, window: Window, feature: Tensor | None, images: Tensor) -> LSTMState:
        """Returns the state after a glimpse at images, and, of a look, its features (B, features)."""
        what: Tensor = self.encode(patch.flatten(1)) + self.place(_place(window, *images.shape[2:]))
        after: LSTMState = self.lstm(what if feature is None else what + feature, state)
        return after

    @in_float32
    def _score(self, output: Tensor, feature: Tensor) -> Tensor:
        """Returns what a look adds to the log-prior of its candidate, shape (B,)."""
        score: Tensor = self.score(output) + self.score_look(feature)
        return score[:, 0]


class LookEncoder(nn.Module):
    """Batch-normalized convnet on a look: what it shows, and where its center of brightness is.

    Args:
        config: Settings.
    """

    def __init__(self, config: SearchConfig) -> None:
        super().__init__()
        stem, trunk, half = config.filters, 2 * config.filters, config.window // 2
        self.stem = normalized_convolution(config.channels, stem, momentum=MOMENTUM)
        self.trunk = nn.Sequential(
            normalized_convolution(stem, trunk, step=2, momentum=MOMENTUM),
            normalized_convolution(trunk, trunk, momentum=MOMENTUM),
            nn.Flatten(),
            Linear(trunk * half**2, config.features),
            nn.ReLU(),
        )
        self.point, self.gain = nn.Conv2d(stem, 1, 1), nn.Parameter(torch.tensor(_CONTRAST))
        for parameter in self.point.parameters():
            nn.init.zeros_(parameter)

    def forward(self, patch: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features, shape (B, features), and where a look (B, C, n, n) points, (x, y) in strides, shape (B, 2)."""
        stem = self.stem(patch)
        return self.trunk(stem), self._pointed(patch, self.point(stem)[:, 0])

    @in_float32
    def _pointed(self, patch: Tensor, learned: Tensor) -> Tensor:
        """Returns the mean offset (x, y) under a softmax of relative brightness and the network's scores (B, n, n)."""
        return expected_offset(self.gain * brightness(patch) + learned)


def rows_read(batch: int, reads: int, *, training: bool) -> list[slice]:
    """Returns which rows of a batch have their canvas classified after each read: all, but in training before the last a few.

    >>> rows_read(128, 4, training=True)
    [slice(0, 32, None), slice(32, 40, None), slice(40, 48, None), slice(0, 128, None)]
    """
    every = slice(0, batch)
    if not training or batch < 16 or reads < 2:
        return [every] * reads
    few = batch // 16
    starts = [(batch // 4 + number * few) % (batch - few) for number in range(reads - 2)]
    return [slice(0, batch // 4), *(slice(start, start + few) for start in starts), every]


def belief_mixture(belief: Tensor, classes: Tensor) -> Tensor:
    """Returns log-probabilities of the classes, shape (B, classes): the mean of probabilities, weighted by belief.

    Args:
        belief: Log-probabilities of K + 1 places, shape (B, K + 1).
        classes: Log-probabilities of the classes if the object is there, shape (B, K + 1, classes).
    """
    return (belief[..., None] + classes).logsumexp(dim=1)


def search_loss(result: SearchResult, labels: Tensor) -> Tensor:
    """Returns the loss in training in nats, a scalar.

    The cross-entropy of the mixture after the last look and of the last reading; every prediction before the one and every reading
    before the other counts 0.3. A reading counts as it is, not as a part of the mixture: so the reader learns from every image.

    Args:
        result: In training.
        labels: Shape (B,).
    """
    reads = len(result.readings)
    looks = result.logits.shape[1] - 1 - reads
    loss = F.nll_loss(result.logits[:, looks], labels)
    for t in range(looks):
        loss = loss + _EARLY * F.nll_loss(result.logits[:, t], labels)
    for number, (rows, log_p) in enumerate(zip(rows_read(len(labels), reads, training=True), result.readings, strict=True)):
        loss = loss + (1.0 if number == reads - 1 else _EARLY) * F.nll_loss(log_p, labels[rows])
    return loss


@in_float32
def _log_softmax(layer: nn.Module, features: Tensor) -> Tensor:
    """Returns the log-probabilities (B, classes) of a layer's logits for features (B, features)."""
    logits: Tensor = layer(features)
    return logits.log_softmax(dim=1)


def _chosen(parts: list[Tensor], chosen: Tensor) -> Tensor:
    """Returns row b of part chosen[b] for each b, shape (B, ...), of parts that have the shape (B, ...) each."""
    return torch.stack(parts, dim=1)[torch.arange(len(chosen), device=chosen.device), chosen]


def _place(window: Window, height: int, width: int) -> Tensor:
    """Returns the place of a window in an image of height x width as four numbers of order 1, shape (B, 4)."""
    x, y, stride, sigma, _ = window
    return torch.stack([2 * x / width - 1, 2 * y / height - 1, stride.log() - 1, sigma.log()], dim=1)
