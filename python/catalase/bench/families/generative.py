"""One training step of nets that generate: a VAE of MNIST's shape (784-400-20), and a VAE of SMILES.

The step is forward, the draw, both terms of the loss, backward, and Adam. PyTorch's nets are written here, with the same
start values; the draws are left out where results are compared, since the libraries draw different numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared

FAMILY = "generative"
_CHECKED_STEPS = 3
_TOKENS, _STEPS = 40, 45  # of ZINC's SMILES


def cases(quick: bool) -> list[Case]:
    dense = [(100, 784, 400, 20)] if not quick else [(5, 12, 8, 2)]
    texts = [(100, 64, 256, 196), (100, 32, 128, 56)] if not quick else [(3, 4, 6, 2)]
    out = [
        Case(f"VAE {n} x {w}-{h}-{z}", 1.0, "steps/s", {"sizes": (n, w, h, z)}, tolerance=2e-3) for n, w, h, z in dense
    ]
    for n, embedding, hidden, latent in texts:
        name = f"SMILES VAE {n} x {_STEPS}, GRU {hidden}, latent {latent}"
        options = {"sizes": (n, embedding, hidden, latent), "texts": True}
        out.append(Case(name, 1.0, "steps/s", options, tolerance=2e-3))
    return out


def _model(case: Case) -> tuple[Any, Any, Any]:
    """The model of Catalase, a batch of its X, and the labels."""
    from ... import data, models

    rng = np.random.default_rng(0)
    n, first, hidden, latent = case.options["sizes"]
    if "texts" not in case.options:
        X = rng.random((n, first), np.float32)
        return models.VAE(first, latent, [hidden], reconstruction="binary", seed=0), X, X
    tokenizer = data.CharTokenizer([chr(65 + i) for i in range(_TOKENS)])
    model = models.SmilesVAE(tokenizer, latent, embedding_size=first, hidden_size=hidden, clip_norm=None, seed=0)
    tokens = rng.integers(4, tokenizer.size, (n, _STEPS))
    rows = data.SequenceDataset([row.astype(np.int32) for row in tokens])
    X, y, *_ = next(model._walk(rows).iterbatches(n, True))
    return model, X, y


def catalase(case: Case) -> Prepared:
    from ... import optim
    from ...train.fit import usual_forward

    def start(training: bool) -> Any:
        model, X, y = _model(case)
        net, forward = model.module, model._forward if "texts" in case.options else usual_forward
        optimizer = optim.Adam(net, lr=1e-3)
        net.train()
        net.sampling.training = training

        def step() -> Any:
            optimizer.zero_grad()
            loss = model.loss(forward(net, X), y, None)
            loss.backward()
            optimizer.step()
            return loss

        return step

    def result() -> list[NDArray[Any]]:
        step = start(False)
        return [np.array([step().item() for _ in range(_CHECKED_STEPS)])]

    return Prepared(start(True), result)


def torch(case: Case) -> Prepared:
    import torch
    from torch.nn import functional as F

    n, first, hidden, latent = case.options["sizes"]
    model, X, y = _model(case)
    state = {name: torch.from_numpy(array) for name, array in model.state_dict().items()}

    class Dense(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            sizes = [(first, hidden), (hidden, 2 * latent), (latent, hidden), (hidden, first)]
            self.layers = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in sizes)
            names = ("encoder.layers.0", "encoder.layers.1", "decoder.layers.0", "decoder.layers.1")
            for layer, name in zip(self.layers, names, strict=True):
                _copy(layer, state, name)

        def forward(self, x: Any, draws: bool) -> Any:
            mean, log_variance = self.layers[1](F.relu(self.layers[0](x))).chunk(2, dim=1)
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean) if draws else mean
            out = self.layers[3](F.relu(self.layers[2](z)))
            return F.binary_cross_entropy_with_logits(out, x, reduction="sum") / n, mean, log_variance

    class Texts(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            tokens = state["embedding.w"].shape[0]
            self.embedding = torch.nn.Embedding(tokens, first, padding_idx=0)
            self.encoder = torch.nn.GRU(first, hidden, batch_first=True)
            self.decoder = torch.nn.GRU(first + latent, hidden, batch_first=True)
            self.latent, self.first = torch.nn.Linear(hidden, 2 * latent), torch.nn.Linear(latent, hidden)
            self.head = torch.nn.Linear(hidden, tokens)
            self.embedding.weight.data.copy_(state["embedding.w"])
            for name in ("latent", "first", "head"):
                _copy(getattr(self, name), state, name)
            for name in ("encoder", "decoder"):
                _copy_gru(getattr(self, name), getattr(model.module, name))

        def forward(self, x: Any, draws: bool) -> Any:
            tokens, shown, following = x
            _, h = self.encoder(self.embedding(tokens))
            mean, log_variance = self.latent(h[0]).chunk(2, dim=1)
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean) if draws else mean
            every = z[:, None].expand(-1, shown.shape[1], -1)
            out, _ = self.decoder(torch.cat([self.embedding(shown), every], dim=-1), torch.tanh(self.first(z))[None])
            logits = self.head(out).flatten(0, 1)
            return F.cross_entropy(logits, following, reduction="sum") / n, mean, log_variance

    if "texts" in case.options:
        tokens = torch.from_numpy(X.values.astype(np.int64))
        shown = torch.cat([torch.full((n, 1), 1), tokens], dim=1)
        inputs: Any = (tokens, shown, torch.from_numpy(y[0]))
    else:
        inputs = torch.from_numpy(X)

    def start(draws: bool) -> Any:
        net = Texts() if "texts" in case.options else Dense()
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

        def step() -> Any:
            optimizer.zero_grad()
            error, mean, log_variance = net(inputs, draws)
            loss = error + 0.5 * (mean * mean + log_variance.exp() - log_variance - 1).sum() / n
            loss.backward()
            optimizer.step()
            return loss

        return step

    def result() -> list[NDArray[Any]]:
        step = start(False)
        return [np.array([step().item() for _ in range(_CHECKED_STEPS)])]

    return Prepared(start(True), result)


def _copy(layer: Any, state: dict[str, Any], name: str) -> None:
    layer.weight.data.copy_(state[f"{name}.w"].T)
    layer.bias.data.copy_(state[f"{name}.b"])


def _copy_gru(layer: Any, own: Any) -> None:
    """Give a layer of PyTorch the weights of ours."""
    import torch

    from ...nn import recurrent_to_torch

    layer.load_state_dict({name: torch.from_numpy(array) for name, array in recurrent_to_torch(own).items()})


LIBRARIES = {"catalase": catalase, "torch": torch}
