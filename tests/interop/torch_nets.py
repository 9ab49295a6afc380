"""Nets as users of PyTorch write them, whose layers are PyTorch's, or Catalase's by another import."""

from __future__ import annotations

import csv
import os
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

import catalase as ct


class Messages(nn.Module):
    """The message passing of a D-MPNN, after the paper and with the operations of chemprop 2."""

    def __init__(self, d_v=72, d_e=14, d_h=300, bias=False, depth=3):
        super().__init__()
        self.W_i = nn.Linear(d_v + d_e, d_h, bias)
        self.W_h = nn.Linear(d_h, d_h, bias)
        self.W_o = nn.Linear(d_v + d_h, d_h)
        self.depth = depth

    def forward(self, graphs):
        source, target = graphs.edge_index

        def into_atoms(h):
            index = target.unsqueeze(1).repeat(1, h.shape[1])
            zeros = torch.zeros(len(graphs.V), h.shape[1], dtype=h.dtype)
            return zeros.scatter_reduce_(0, index, h, reduce="sum", include_self=False)

        start = self.W_i(torch.cat([graphs.V[source], graphs.E], dim=1))
        h = torch.relu(start)
        for _ in range(1, self.depth):
            h = torch.relu(start + self.W_h(into_atoms(h)[source] - h[graphs.rev_edge_index]))
        return torch.relu(self.W_o(torch.cat([graphs.V, into_atoms(h)], dim=1)))


class DMPNN(nn.Module):
    """A regression on molecules; ``messages`` is the class of the message passing."""

    def __init__(self, messages, d_h=300):
        super().__init__()
        self.messages = messages(d_h=d_h)
        self.dense = nn.Sequential(nn.Linear(d_h, d_h), nn.ReLU(), nn.Linear(d_h, 1))

    def forward(self, graphs):
        rows = self.messages(graphs)
        sums = torch.zeros(graphs.size, rows.shape[1]).index_add_(0, graphs.batch, rows)
        return self.dense(sums / 100)


class SequenceNet(nn.Module):
    """Letters of DNA to a number; ``lstm`` is the class of the recurrent layer. Lengths differ, as those of reads do."""

    def __init__(self, lstm, width=64, hidden=128):
        super().__init__()
        self.embedding = nn.Embedding(5, width)
        self.lstm = lstm(width, hidden, batch_first=True)
        self.dense = nn.Linear(hidden, 1)

    def forward(self, letters, lengths):
        x = self.embedding(letters)
        if lengths is not None:
            x = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(x)
        return self.dense(h[-1])


def graphs_of(graphs):
    """The tensors of a batch of chemprop, from graphs of Catalase."""
    rows = range(len(graphs))
    E = np.concatenate([graphs.bond_features(i) for i in rows])
    return SimpleNamespace(
        V=torch.from_numpy(np.concatenate([graphs.atom_features(i) for i in rows])),
        E=torch.from_numpy(E),
        edge_index=torch.from_numpy(np.stack([graphs.source, graphs.target]).astype(np.int64)),
        rev_edge_index=torch.arange(len(E)) ^ 1,
        batch=torch.from_numpy(np.repeat(np.arange(len(graphs)), graphs.atom_counts)),
        size=len(graphs),
    )


def solubilities():
    """SMILES and labels of ESOL where it is, else of alkanes and their alcohols."""
    path = os.path.join(os.environ.get("CATALASE_DATA_DIR", ""), "delaney-processed.csv")
    if not os.path.exists(path):
        smiles = ["C" * n + end for n in range(1, 160) for end in ("", "O", "N", "c1ccccc1")]
        return smiles, np.array([-len(text) / 10 for text in smiles], np.float32)
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([float(row["measured log solubility in mols per litre"]) for row in rows], np.float32)
    return [row["smiles"].strip() for row in rows], labels


def graph_batches(size, count):
    smiles, labels = solubilities()
    order = np.random.default_rng(0).permutation(len(smiles))[: size * count].reshape(-1, size)
    return [
        ((graphs_of(ct.ops.mol_graphs([smiles[i] for i in rows])),), torch.from_numpy(labels[rows])[:, None])
        for rows in order
    ]


def sequence_batches(size, count, longest=200, equal=False):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        letters = torch.from_numpy(rng.integers(1, 5, (size, longest)))
        lengths = torch.from_numpy(rng.integers(longest // 20, longest + 1, size))
        found.append(((letters, None if equal else lengths), (letters[:, :1] == 1).float()))
    return found


def train(net, batches, steps, rate=1e-3):
    """Losses of some steps with Adam."""
    optimizer = torch.optim.Adam(net.parameters(), rate)
    losses = []
    for step in range(steps):
        inputs, y = batches[step % len(batches)]
        loss = torch.nn.functional.mse_loss(net(*inputs), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def both(make, theirs, ours):
    """Two nets with the same weights, one on each kind of layer."""
    torch.manual_seed(0)
    first, second = make(theirs), make(ours)
    second.load_state_dict(first.state_dict())
    return first, second


def compare(rounds=5, steps=10):
    """Print the times of training steps, taken in turn, with PyTorch's layers and with Catalase's by one import."""
    import time

    layers = ct.interop.torch
    cases = {
        "D-MPNN, 64 molecules": (DMPNN, Messages, layers.DMPNN, graph_batches(64, 8)),
        "D-MPNN, 256 molecules": (DMPNN, Messages, layers.DMPNN, graph_batches(256, 4)),
        "LSTM, 64 x (10 to 200), packed": (SequenceNet, nn.LSTM, layers.LSTM, sequence_batches(64, 4)),
        "LSTM, 64 x 100, equal lengths": (SequenceNet, nn.LSTM, layers.LSTM, sequence_batches(64, 4, 100, True)),
        "LSTM, 16 x 30, equal lengths": (SequenceNet, nn.LSTM, layers.LSTM, sequence_batches(16, 4, 30, True)),
    }
    for name, (make, theirs, ours, batches) in cases.items():
        nets, times = both(make, theirs, ours), ([], [])
        for _ in range(rounds + 1):
            for net, own in zip(nets, times, strict=True):
                start = time.perf_counter()
                train(net, batches, steps)
                own.append((time.perf_counter() - start) / steps * 1e3)
        a, b = (float(np.median(own[1:])) for own in times)
        print(f"{name}: PyTorch {a:.2f} ms a step, Catalase {b:.2f} ms, ratio {a / b:.2f}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(ct.get_num_threads())
    print(f"{ct.get_num_threads()} threads, PyTorch {torch.__version__}")
    compare()
