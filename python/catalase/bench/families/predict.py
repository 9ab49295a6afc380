"""Predictions of a dense net 1024-1000-12 on fingerprints (4% ones), from one row to a hundred thousand."""

from __future__ import annotations

from ..case import Case, Prepared
from ..device import CPU, Device
from .mlp import batch_of, catalase_net, inputs_of, torch_net

FAMILY = "predict"


def cases(quick: bool) -> list[Case]:
    sizes = (1, 50) if quick else (1, 50, 1000, 100_000)
    return [Case(f"fingerprints, {n} rows", float(n), "rows/s", {"rows": n}) for n in sizes]


def catalase(case: Case, device: Device = CPU) -> Prepared:
    from ... import no_grad
    from ...train.fit import usual_forward

    feed = inputs_of(batch_of("fingerprints", case.options["rows"])[0], "fingerprints", device)
    net = device.module(catalase_net()).eval()

    def call() -> object:
        with no_grad():
            return usual_forward(net, feed())

    return Prepared(call, lambda: [device.numpy(call())])


def torch(case: Case, device: Device = CPU, compiled: bool = False) -> Prepared:
    import torch

    x = device.tensor(batch_of("fingerprints", case.options["rows"])[0])
    net = torch_net().to(device.torch_name).eval()
    if compiled:
        net = torch.compile(net, mode="reduce-overhead")

    def call() -> object:
        with torch.inference_mode():
            return net(x)

    return Prepared(call, lambda: [device.numpy(call())])


def torch_compiled(case: Case, device: Device) -> Prepared:
    return torch(case, device, compiled=True)


LIBRARIES = {"catalase": catalase, "torch": torch}
ON_DEVICE = {"catalase": catalase, "torch": torch, "torch-compiled": torch_compiled}
