"""One training step of the teaching texts' convolutional nets with Adam: forward, loss, backward, update.

- The lecture's MNIST net has two convolutions (5x5, 32 and 64 channels), each with pooling, dense 3136-1024, dropout, 10.
- The book's MNIST net has the same convolutions without pooling, dense 50176-1024-10.
- The book's net for transcription factors has three convolutions (15 filters, width 10) of 101 one-hot bases, and dropout.

Results are compared without dropout (the losses of some steps from the same weights); the timed steps have dropout. PyTorch
runs in NCHW or in ``channels_last``, whichever is faster, with its default Adam and with ``Adam(fused=True)``; on a device
it is also compiled, with CUDA graphs.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared
from ..device import CPU, Device
from ..graph_step import number, training_step

FAMILY = "convnet"
_CHECKED_STEPS = 3


class _Net(NamedTuple):
    shape: tuple[int, ...]  # of one input, channels last
    kernel: tuple[int, ...]
    channels: tuple[int, ...]  # of the convolutions
    pool: bool
    dense: tuple[int, ...]  # outputs
    conv_dropout: float
    dense_dropout: float


_NETS = {
    "lecture's MNIST": (128, _Net((28, 28, 1), (5, 5), (32, 64), True, (1024, 10), 0.0, 0.5)),
    "book's MNIST": (50, _Net((28, 28, 1), (5, 5), (32, 64), False, (1024, 10), 0.0, 0.0)),
    "TF binding": (1000, _Net((101, 4), (10,), (15, 15, 15), False, (1,), 0.5, 0.0)),
}
_QUICK = {"small": (4, _Net((8, 8, 1), (3, 3), (4, 4), True, (8, 3), 0.0, 0.5))}


def cases(quick: bool) -> list[Case]:
    return [
        Case(f"{name} {batch}, {'fused' if fused else 'default'} Adam", 1.0, "steps/s",
             {"net": net, "batch": batch, "fused": fused}, tolerance=2e-3)
        for name, (batch, net) in (_QUICK if quick else _NETS).items()
        for fused in (True, False)
    ]  # fmt: skip


def _batch(net: _Net, rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(0)
    if len(net.shape) == 2:  # DNA, in which few labels are positive
        x = np.eye(net.shape[1], dtype=np.float32)[rng.integers(net.shape[1], size=(rows, net.shape[0]))]
        return x, (rng.random((rows, 1)) < 0.2).astype(np.float32)
    return rng.random((rows, *net.shape), dtype=np.float32), rng.integers(net.dense[-1], size=rows)


def _weights(net: _Net) -> list[NDArray[Any]]:
    """Return weights and biases, layer by layer, the same for all libraries."""
    rng = np.random.default_rng(1)
    shapes: list[tuple[int, ...]] = []
    before, pixels = net.shape[-1], int(np.prod(net.shape[:-1]))
    for channels in net.channels:
        shapes.append((*net.kernel, before, channels))
        before, pixels = channels, pixels // 4 if net.pool else pixels
    before *= pixels
    for width in net.dense:
        shapes.append((before, width))
        before = width
    out: list[NDArray[Any]] = []
    for shape in shapes:
        scale = np.float32(np.sqrt(2 / np.prod(shape[:-1])))
        out += [scale * rng.standard_normal(shape, dtype=np.float32), np.full(shape[-1], 0.01, np.float32)]
    return out


def catalase(case: Case, device: Device = CPU) -> Prepared:
    from ... import nn, optim

    net = case.options["net"]
    x, y = _batch(net, case.options["batch"])
    x = device.array(x)
    loss_function = nn.losses.SigmoidCrossEntropy() if len(net.shape) == 2 else nn.losses.SoftmaxCrossEntropy()

    def build() -> Any:
        conv = nn.Conv1D if len(net.kernel) == 1 else nn.Conv2D
        layers: list[Any] = []
        weights = iter(_weights(net))
        for w, b in zip(weights, weights, strict=True):
            if w.ndim > 2:
                layers.append(conv(w.shape[-2], w.shape[-1], net.kernel, activation="relu"))
            else:
                if not any(isinstance(layer, nn.Flatten) for layer in layers):
                    layers.append(nn.Flatten())
                elif net.dense_dropout:
                    layers.append(nn.Dropout(net.dense_dropout))
                last = w.shape[1] == net.dense[-1]
                layers.append(nn.Linear(w.shape[0], w.shape[1], None if last else "relu"))
            layers[-1].load_state_dict({"w": w, "b": b})
            if w.ndim > 2 and net.pool:
                layers.append(nn.MaxPool2D(2))
            if w.ndim > 2 and net.conv_dropout:
                layers.append(nn.Dropout(net.conv_dropout))
        return nn.Sequential(*layers)

    def start(training: bool) -> Any:
        model = device.module(build())
        model.train(training)
        return training_step(device, model, optim.Adam(model, lr=1e-3), loss_function, lambda: x, y)

    def result() -> list[NDArray[Any]]:
        step = start(False)  # without dropout
        return [np.array([number(step()) for _ in range(_CHECKED_STEPS)])]

    return Prepared(start(True), result)


def _torch(case: Case, channels_last: bool, device: Device, compiled: bool) -> Prepared:
    import torch

    net = case.options["net"]
    flat, labels = _batch(net, case.options["batch"])
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = device.tensor(np.moveaxis(flat, -1, 1).copy()).contiguous(memory_format=layout)
    y = device.tensor(labels)
    loss_function = torch.nn.BCEWithLogitsLoss() if len(net.shape) == 2 else torch.nn.CrossEntropyLoss()

    def load(layer: Any, w: NDArray[Any], b: NDArray[Any]) -> Any:
        layer.load_state_dict({"weight": torch.from_numpy(w.copy()), "bias": torch.from_numpy(b)})
        return layer

    def build() -> Any:
        conv = torch.nn.Conv1d if len(net.kernel) == 1 else torch.nn.Conv2d
        layers: list[Any] = []
        weights = iter(_weights(net))
        channels = 0  # of the convolution before it, whose output PyTorch flattens with channels first
        for w, b in zip(weights, weights, strict=True):
            if w.ndim > 2:
                channels = w.shape[-1]
                layers.append(
                    load(
                        conv(w.shape[-2], w.shape[-1], net.kernel, padding="same"), np.moveaxis(w, (-1, -2), (0, 1)), b
                    )
                )
                layers.append(torch.nn.ReLU())
                if net.pool:
                    layers.append(torch.nn.MaxPool2d(2))
                if net.conv_dropout:
                    layers.append(torch.nn.Dropout(net.conv_dropout))
                continue
            if channels:
                w = w.reshape(-1, channels, w.shape[1]).swapaxes(0, 1).reshape(w.shape)
                layers.append(torch.nn.Flatten())
                channels = 0
            elif net.dense_dropout:
                layers.append(torch.nn.Dropout(net.dense_dropout))
            layers.append(load(torch.nn.Linear(*w.shape), w.T, b))
            if w.shape[1] != net.dense[-1]:
                layers.append(torch.nn.ReLU())
        model: Any = torch.nn.Sequential(*layers)
        return model.to(memory_format=layout)

    def start(training: bool) -> Any:
        model = build().to(device.torch_name).train(training)
        forward = torch.compile(model, mode="reduce-overhead") if compiled else model
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=case.options["fused"] or None)

        def step() -> Any:
            optimizer.zero_grad()
            loss = loss_function(forward(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step

    def result() -> list[NDArray[Any]]:
        step = start(False)
        return [np.array([step().item() for _ in range(_CHECKED_STEPS)])]

    return Prepared(start(True), result)


def torch(case: Case, device: Device = CPU, compiled: bool = False) -> Prepared:
    """Prepare the faster of the two layouts, by the best of two steps each; sequences have one layout."""
    if len(case.options["net"].kernel) == 1:
        return _torch(case, False, device, compiled)

    def best(channels_last: bool) -> float:
        prepared, times = _torch(case, channels_last, device, compiled), []
        for _ in range(3):  # the first one warms up
            start = time.perf_counter()
            prepared.call()
            device.synchronize()
            times.append(time.perf_counter() - start)
        return min(times[1:])

    return _torch(case, min((False, True), key=best), device, compiled)


def torch_compiled(case: Case, device: Device) -> Prepared | None:
    return torch(case, device, compiled=True) if case.options["fused"] else None


LIBRARIES = {"catalase": catalase, "torch": torch}
ON_DEVICE = {"catalase": catalase, "torch": torch, "torch-compiled": torch_compiled}
