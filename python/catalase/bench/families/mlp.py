"""One training step of a dense net 1024-1000-12 with sigmoid cross-entropy and Adam: forward, loss, backward, update.

The inputs are as sparse as fingerprints (4% ones), or dense; neither library has dropout. PyTorch runs twice, with its
default Adam and with ``Adam(fused=True)``. On a device Catalase gets fingerprints as packed bits, and PyTorch is also
compiled, with CUDA graphs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared
from ..device import CPU, Device
from ..graph_step import number, training_step

FAMILY = "mlp"
_IN, _HIDDEN, _OUT = 1024, 1000, 12
_CHECKED_STEPS = 3


def cases(quick: bool) -> list[Case]:
    out = []
    for inputs, batches in (("fingerprints", (50, 128)), ("dense", (50, 128, 512))):
        for fused in (True, False):
            for batch in batches if not quick else batches[:1]:
                name = f"{inputs} {batch}, {'fused' if fused else 'default'} Adam"
                options = {"inputs": inputs, "batch": batch, "fused": fused}
                out.append(Case(name, 1.0, "steps/s", options, tolerance=2e-3))
    return out


def batch_of(inputs: str, rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return features and labels, the same for all libraries."""
    rng = np.random.default_rng(0)
    if inputs == "fingerprints":
        x = (rng.random((rows, _IN)) < 0.04).astype(np.float32)
    else:
        x = rng.standard_normal((rows, _IN), dtype=np.float32)
    return x, (rng.random((rows, _OUT)) < 0.2).astype(np.float32)


def weights() -> list[NDArray[Any]]:
    """Return start values w1, b1, w2, b2, the same for all libraries."""
    rng = np.random.default_rng(1)
    w1 = (0.02 * rng.standard_normal((_IN, _HIDDEN))).astype(np.float32)
    w2 = (0.02 * rng.standard_normal((_HIDDEN, _OUT))).astype(np.float32)
    return [w1, np.full(_HIDDEN, 0.1, np.float32), w2, np.zeros(_OUT, np.float32)]


def catalase_net() -> Any:
    """Return the net with these start values."""
    from ... import nn

    net = nn.Sequential(nn.Linear(_IN, _HIDDEN, "relu"), nn.Linear(_HIDDEN, _OUT))
    w1, b1, w2, b2 = weights()
    net.load_state_dict({"layers.0.w": w1, "layers.0.b": b1, "layers.1.w": w2, "layers.1.b": b2})
    return net


def torch_net() -> Any:
    """Return the net in PyTorch with these start values."""
    import torch

    net = torch.nn.Sequential(torch.nn.Linear(_IN, _HIDDEN), torch.nn.ReLU(), torch.nn.Linear(_HIDDEN, _OUT))
    w1, b1, w2, b2 = weights()
    values = {"0.weight": w1.T.copy(), "0.bias": b1, "2.weight": w2.T.copy(), "2.bias": b2}
    net.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()})
    return net


def inputs_of(x: NDArray[Any], inputs: str, device: Device) -> Callable[[], Any]:
    """Return a function that gives the input of each call: for fingerprints on a device packed bits, else a dense array."""
    from ... import ops

    if device.name == "cpu" or inputs != "fingerprints":
        values = device.array(x)
        return lambda: values
    bits = device.array(np.packbits(x != 0, axis=1, bitorder="little"))
    return lambda: ops.as_sparse(bits)


def catalase(case: Case, device: Device = CPU) -> Prepared:
    from ... import nn, optim

    x, y = batch_of(case.options["inputs"], case.options["batch"])
    feed = inputs_of(x, case.options["inputs"], device)
    loss_function = nn.losses.SigmoidCrossEntropy()

    def start() -> Any:
        net = device.module(catalase_net())
        return net, training_step(device, net, optim.Adam(net, lr=1e-3), loss_function, feed, y)

    def result() -> list[NDArray[Any]]:
        net, step = start()
        losses = [number(step()) for _ in range(_CHECKED_STEPS)]
        return [np.array(losses), device.numpy(net.layers[1].w) - weights()[2]]

    return Prepared(start()[1], result)


def torch(case: Case, device: Device = CPU, compiled: bool = False) -> Prepared:
    import torch

    x, y = (device.tensor(a) for a in batch_of(case.options["inputs"], case.options["batch"]))
    loss_function = torch.nn.BCEWithLogitsLoss()

    def start() -> Any:
        net = torch_net().to(device.torch_name)
        forward = torch.compile(net, mode="reduce-overhead") if compiled else net
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=case.options["fused"] or None)

        def step() -> Any:
            optimizer.zero_grad()
            loss = loss_function(forward(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return net, step

    def result() -> list[NDArray[Any]]:
        net, step = start()
        losses = [step().item() for _ in range(_CHECKED_STEPS)]
        return [np.array(losses), device.numpy(net[2].weight).T - weights()[2]]

    return Prepared(start()[1], result)


def torch_compiled(case: Case, device: Device) -> Prepared | None:
    return torch(case, device, compiled=True) if case.options["fused"] else None


LIBRARIES = {"catalase": catalase, "torch": torch}
ON_DEVICE = {"catalase": catalase, "torch": torch, "torch-compiled": torch_compiled}
