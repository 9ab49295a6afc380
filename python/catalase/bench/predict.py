"""Predictions of a dense net 1024-1000-12 on fingerprints (4% ones), from one row to a hundred thousand."""

from __future__ import annotations

from ._case import Case, Prepared
from .mlp import batch_of, catalase_net, torch_net


def cases(quick: bool) -> list[Case]:
    sizes = (1, 50) if quick else (1, 50, 1000, 100_000)
    return [Case(f"fingerprints, {n} rows", float(n), "rows/s", {"rows": n}) for n in sizes]


def catalase(case: Case) -> Prepared:
    from .. import Tensor, no_grad

    x, _ = batch_of("fingerprints", case.options["rows"])
    net = catalase_net().eval()

    def call() -> object:
        with no_grad():
            return net(Tensor(x))

    return Prepared(call, lambda: [call().numpy()])  # type: ignore[attr-defined]


def torch(case: Case) -> Prepared:
    import torch

    x = torch.from_numpy(batch_of("fingerprints", case.options["rows"])[0])
    net = torch_net().eval()

    def call() -> object:
        with torch.inference_mode():
            return net(x)

    return Prepared(call, lambda: [call().numpy()])  # type: ignore[attr-defined]


LIBRARIES = {"catalase": catalase, "torch": torch}
