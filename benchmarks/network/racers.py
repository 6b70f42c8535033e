"""Those that `time_to_accuracy` measures: the same network and recipe, in `nn` and in PyTorch.

Each is a generator that prepares itself first, and then trains for one epoch at a time. What it
yields measures the accuracy on the validation images, outside the time of the epoch.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, repeat
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.network import array_files
from nn import validation
from nn.distortion import Distorter
from nn.edges import BETWEEN, CELL, MIX, SOFTNESS, cells
from nn.hyperparameters import Hyperparameters
from nn.model import Model
from nn.schedules import learning_rate
from nn.session import training_session, useful_workers
from nn.slant import MAX_SLANT, MIN_VARIANCE
from nn.style import Styler
from nn.views import DESLANTED_EDGES, view

Measure = Callable[[], float]

_SEED = 0

# Images that a thread deforms at a time.
_PIECE = 64


def ours(
    images: np.ndarray, labels: np.ndarray, threads: int, *, params: dict[str, Any], held_out: str
) -> Iterator[Measure]:
    """Train with `nn`."""
    hyperparameters = Hyperparameters.from_params(params)
    x, y = _held_out(held_out)
    size = useful_workers(hyperparameters, len(images), threads)
    rows, shape = images.reshape(len(images), -1), images.shape[1:]
    with training_session(hyperparameters, rows, labels, shape, _SEED, size) as training:

        def accuracy() -> float:
            return Model(hyperparameters, training.result()).evaluate(x, y)[1]

        while True:
            yield accuracy
            training.run_epoch()


def torch_with_our_images(
    images: np.ndarray, labels: np.ndarray, threads: int, *, params: dict[str, Any], held_out: str
) -> Iterator[Measure]:
    """Train with PyTorch on images that `nn` varies, deforms and views, in as many threads."""
    import torch

    hyperparameters = Hyperparameters.from_params(params)
    (seen,) = hyperparameters.views
    shape = (images.shape[1], images.shape[2])
    assert hyperparameters.distortion is not None
    assert hyperparameters.style is not None
    distorter = Distorter(hyperparameters.distortion, shape)
    styler = Styler(hyperparameters.style, shape)
    rows = images.reshape(len(images), -1)

    def piece(indices: np.ndarray, seed: np.random.SeedSequence, progress: float) -> np.ndarray:
        x, rng = validation.scaled(rows[indices]), np.random.default_rng(seed)
        styler(x, labels[indices], rng)
        distorter(x, rng, progress)
        return view(seen, x)

    seeds = np.random.SeedSequence(_SEED)
    with ThreadPoolExecutor(threads) as pool:

        def deformed(indices: np.ndarray, progress: float) -> Any:
            pieces = np.array_split(indices, -(-len(indices) // _PIECE))
            made = pool.map(piece, pieces, seeds.spawn(len(pieces)), repeat(progress))
            return torch.from_numpy(np.concatenate([*made]))

        yield from _torch_epochs(hyperparameters, labels, threads, held_out, deformed)


def torch_alone(
    images: np.ndarray, labels: np.ndarray, threads: int, *, params: dict[str, Any], held_out: str
) -> Iterator[Measure]:
    """Train with PyTorch on images that it deforms and views itself, as `nn` does it."""
    import torch
    from torch.nn import functional

    hyperparameters = Hyperparameters.from_params(params)
    limits = hyperparameters.distortion
    assert limits is not None
    assert hyperparameters.views == (DESLANTED_EDGES,)
    side = images.shape[1]
    x = torch.from_numpy(validation.scaled(images.reshape(len(images), -1)))
    x = x.reshape(-1, 1, side, side)
    reach = 3 * int(np.ceil(limits.sigma))
    line = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * limits.sigma**2))
    line = (line / line.sum()).reshape(1, 1, 1, -1)
    position = torch.arange(float(side)) - (side - 1) / 2
    row, column = torch.meshgrid(position, position, indexing="ij")
    sums = torch.stack([torch.ones_like(row), row, column, row * column, row**2], -1).reshape(-1, 5)

    def deslanted(images: Any) -> Any:
        moments = images.reshape(-1, side * side) @ sums
        mass, by_row, by_column, by_both, by_square = moments.T
        mass = mass.clamp(min=1e-30)
        mean_row = by_row / mass
        variance = (by_square / mass - mean_row**2).clamp(min=MIN_VARIANCE)
        slant = (by_both / mass - mean_row * by_column / mass) / variance
        slant = slant.clamp(-MAX_SLANT, MAX_SLANT)
        one, zero = torch.ones_like(slant), torch.zeros_like(slant)
        across = torch.stack([one, slant, -slant * mean_row * 2 / side], 1)
        shear = torch.stack([across, torch.stack([zero, one, zero], 1)], 1)
        grid = functional.affine_grid(shear, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, align_corners=False)

    to_right = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    kernels = torch.stack([to_right, -to_right, to_right.T, -to_right.T]).unsqueeze(1)
    by_row, by_column = (torch.from_numpy(cells(side, side // length)) for length in CELL)
    one_end, other_end = (list(numbers) for numbers in zip(*BETWEEN, strict=True))
    mix = torch.from_numpy(MIX)

    def edges(images: Any) -> Any:
        axes = functional.conv2d(images, kernels, padding=1).relu()
        found = torch.cat([axes, torch.minimum(axes[:, one_end], axes[:, other_end])], 1)
        by_cell = by_row @ (found @ by_column.T)
        strength = (mix @ by_cell.flatten(2)).clamp(min=0)
        return ((strength + SOFTNESS).sqrt() - SOFTNESS**0.5).flatten(1)

    def deformed(indices: np.ndarray, progress: float) -> Any:
        strength = 1 - limits.fading * progress

        def drawn(count: int, limit: float) -> Any:
            return (2 * torch.rand(count) - 1) * (strength * limit)

        count = len(indices)
        angle = torch.deg2rad(drawn(count, limits.rotation))
        shear = drawn(count, limits.shear)
        zoom_y, zoom_x = (1 + drawn(count, limits.scaling) for _ in range(2))
        shift_y, shift_x = (drawn(count, limits.shift) * 2 / side for _ in range(2))
        sine, cosine = torch.sin(angle), torch.cos(angle)
        across = torch.stack(
            [zoom_x * (shear * sine + cosine), zoom_x * (shear * cosine - sine), shift_x], 1
        )
        down = torch.stack([zoom_y * sine, zoom_y * cosine, shift_y], 1)
        shape = [count, 1, side, side]
        grid = functional.affine_grid(torch.stack([across, down], 1), shape, align_corners=False)
        fields = (2 * torch.rand(2 * count, 1, side, side) - 1) * (
            strength * limits.alpha * 2 / side
        )
        fields = functional.conv2d(fields, line, padding=(0, reach))
        fields = functional.conv2d(fields, line.transpose(2, 3), padding=(reach, 0))
        grid = grid + fields.reshape(count, 2, side, side).permute(0, 2, 3, 1)
        images = functional.grid_sample(x[torch.from_numpy(indices)], grid, align_corners=False)
        return edges(deslanted(images))

    yield from _torch_epochs(hyperparameters, labels, threads, held_out, deformed)


def _torch_epochs(
    hyperparameters: Hyperparameters,
    labels: np.ndarray,
    threads: int,
    held_out: str,
    deformed: Callable[[np.ndarray, float], Any],
) -> Iterator[Measure]:
    """Train PyTorch's network with the optimizer and the schedule of a preset."""
    import torch
    from torch import nn

    torch.manual_seed(_SEED)
    torch.set_num_threads(threads)
    y = torch.from_numpy(labels.astype(np.int64))

    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(hyperparameters.sizes):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU(), nn.Dropout(hyperparameters.dropout)]
    network = nn.Sequential(*layers[:-2])
    size = hyperparameters.batch_size
    steps = -(-len(labels) // size)
    optimizer = torch.optim.SGD(network.parameters(), hyperparameters.learning_rate, momentum=0.9)
    loss = nn.CrossEntropyLoss()
    rng = np.random.default_rng(_SEED)
    x, held_out_labels = _held_out(held_out)
    (seen,) = hyperparameters.views
    held_out_images = torch.from_numpy(view(seen, validation.scaled(x)))

    def accuracy() -> float:
        network.eval()
        with torch.no_grad():
            found = network(held_out_images).argmax(1).numpy()
        network.train()
        return float(np.mean(found == held_out_labels))

    step = epoch = 0
    while True:
        yield accuracy
        progress = epoch / max(1, hyperparameters.epochs - 1)
        epoch += 1
        order = rng.permutation(len(labels))
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(
                    hyperparameters.learning_rate,
                    hyperparameters.schedule,
                    step,
                    steps * hyperparameters.epochs,
                    round(steps * hyperparameters.warmup_epochs),
                )
            optimizer.zero_grad()
            expected = y[torch.from_numpy(chosen)]
            loss(network(deformed(chosen, progress)), expected).backward()
            optimizer.step()
            step += 1


def _held_out(directory: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = array_files.load(Path(directory), "validation")
    return images.reshape(len(images), -1), labels


RACERS: dict[str, Callable[..., Iterator[Measure]]] = {
    "race ours": ours,
    "race torch, our images": torch_with_our_images,
    "race torch alone": torch_alone,
}
