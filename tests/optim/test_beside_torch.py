"""Optimizers and schedules beside PyTorch's, in random configurations."""

from __future__ import annotations

import numpy as np
import pytest

from catalase import nn, optim

torch = pytest.importorskip("torch", exc_type=ImportError)

# ours and PyTorch's from a source of random settings
PAIRS = {
    "SGD": lambda r: ((optim.SGD, {}), (torch.optim.SGD, {})),
    "Momentum": lambda r: ((optim.Momentum, {"momentum": (m := r(0.1, 0.95))}), (torch.optim.SGD, {"momentum": m})),
    "Nesterov": lambda r: ((optim.Momentum, {"momentum": (m := r(0.1, 0.95)), "nesterov": True}), (torch.optim.SGD, {"momentum": m, "nesterov": True})),
    "AdaGrad": lambda r: ((optim.AdaGrad, {"eps": (e := r(1e-8, 1e-3)), "initial_accumulator": (a := r(0.0, 0.5))}), (torch.optim.Adagrad, {"eps": e, "initial_accumulator_value": a})),
    "RMSProp": lambda r: ((optim.RMSProp, {"alpha": (a := r(0.8, 0.99)), "eps": (e := r(1e-8, 1e-3)), "momentum": (m := r(0.0, 0.9))}), (torch.optim.RMSprop, {"alpha": a, "eps": e, "momentum": m})),
    "Adam": lambda r: ((optim.Adam, {"beta1": (a := r(0.5, 0.95)), "beta2": (b := r(0.9, 0.999)), "eps": (e := r(1e-8, 1e-3))}), (torch.optim.Adam, {"betas": (a, b), "eps": e})),
    "AMSGrad": lambda r: ((optim.Adam, {"beta1": (a := r(0.5, 0.95)), "beta2": (b := r(0.9, 0.999)), "eps": (e := r(1e-8, 1e-3)), "amsgrad": True}), (torch.optim.Adam, {"betas": (a, b), "eps": e, "amsgrad": True})),
    "AdamW": lambda r: ((optim.AdamW, {"beta1": (a := r(0.5, 0.95)), "weight_decay": (d := r(0.0, 0.3)), "amsgrad": (s := r(0, 1) > 0.5)}), (torch.optim.AdamW, {"betas": (a, 0.999), "weight_decay": d, "amsgrad": s})),
}  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", PAIRS)
def test_fifty_steps_agree_to_float32_rounding(name, seed):
    rng = np.random.default_rng(seed)

    def draw(low, high):
        return float(rng.uniform(low, high))

    (ours, settings), (theirs, theirs_settings) = PAIRS[name](draw)
    lr, l2 = draw(0.001, 0.05), draw(0.0, 0.1)
    net = nn.Linear(7, int(rng.integers(1, 40)), rng=seed)
    net.b.decay = True  # PyTorch's penalties concern all that an optimizer is given
    w, b = (torch.nn.Parameter(torch.from_numpy(p.numpy().copy())) for p in (net.w, net.b))
    optimizer = ours(net, lr=lr, **({} if name == "AdamW" else {"l2": l2}), **settings)
    other = theirs([w, b], lr=lr, **({} if name == "AdamW" else {"weight_decay": l2}), **theirs_settings)
    for _ in range(50):
        gradients = [rng.standard_normal(p.shape).astype(np.float32) for p in (net.w, net.b)]
        optimizer.zero_grad()
        net.w.grad, net.b.grad = gradients
        w.grad, b.grad = map(torch.from_numpy, gradients)
        optimizer.step()
        other.step()
    for found, expected in ((net.w, w), (net.b, b)):
        expected = expected.detach().numpy()
        assert np.allclose(found.numpy(), expected, rtol=2e-5, atol=2e-5), np.abs(found.numpy() - expected).max()


SCHEDULES = {
    "CosineDecay": (optim.CosineDecay(0.3, 0.01, 40), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40, 0.01)),
    "ExponentialDecay": (optim.ExponentialDecay(0.3, 0.9, 1), lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9)),
    "ExponentialDecay in stairs": (optim.ExponentialDecay(0.3, 0.5, 7), lambda o: torch.optim.lr_scheduler.StepLR(o, 7, 0.5)),
    "PolynomialDecay": (optim.PolynomialDecay(0.3, 0.0, 30, 2.0), lambda o: torch.optim.lr_scheduler.PolynomialLR(o, 30, 2.0)),
    "StepDecay": (optim.StepDecay(0.3, 0.1, [5, 20]), lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [5, 20], 0.1)),
    "Warmup": (optim.Warmup(0.3, 10, start=0.2), lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.2, 1.0, 10)),
    "OneCycle": (optim.OneCycle(0.3 / 25, 0.3, 0.3 / 25e4, 39, 0.3 * 40 - 1), lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.3, 40)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_gives_pytorchs_rates(name):
    ours, make = SCHEDULES[name]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    theirs = make(optimizer)
    for step in range(40):
        assert np.isclose(ours(step), optimizer.param_groups[0]["lr"], rtol=1e-6, atol=1e-9), step
        if step < 39:
            optimizer.step()
            theirs.step()
