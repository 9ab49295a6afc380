"""One small model of every kind, with data to fit and inputs to predict, for tests of the behaviour of all models."""

from __future__ import annotations

import numpy as np

import catalase as ct
from catalase.models.tensorgraph import layers

RNG = np.random.default_rng(0)
X = RNG.random((40, 16)).astype(np.float32)
Y = (RNG.random((40, 2)) < 0.5).astype(np.float32)
IMAGES = RNG.random((12, 8, 8, 3)).astype(np.float32)
TEXTS = ["ACGTACGT", "ACG", "TTTTACG", "GATTACA", "CCCC", "ACACAC"]
FINGERPRINTS = (RNG.random((60, 512)) < 0.05).astype(np.float32)
BITS = np.packbits(FINGERPRINTS.astype(bool), axis=1, bitorder="little")


def dense():
    model = ct.models.MultitaskClassifier(2, 16, layer_sizes=[32, 16], dropouts=0.5, batch_size=8, seed=0)
    return model, ct.data.NumpyDataset(X, Y), X


def regressor():
    model = ct.models.MultitaskRegressor(2, 16, layer_sizes=[32], dropouts=0.5, batch_size=8, seed=0)
    return model, ct.data.NumpyDataset(X, Y), X


def sparse():
    model = ct.models.MultitaskRegressor(1, 512, layer_sizes=[16], batch_size=16, seed=0)
    return model, ct.data.NumpyDataset(FINGERPRINTS, FINGERPRINTS[:, :1]), FINGERPRINTS


def packed():
    model = ct.models.MultitaskClassifier(1, 512, layer_sizes=[16], batch_size=16, seed=0)
    return model, ct.data.NumpyDataset(BITS, FINGERPRINTS[:, :1]), BITS


def ensemble():
    members = [ct.models.MultitaskRegressor(2, 16, layer_sizes=[8], dropouts=0.5, seed=s) for s in range(2)]
    return ct.models.Ensemble(members), ct.data.NumpyDataset(X, Y), X


def neighbors():
    model = ct.models.TanimotoKNNRegressor(1, 512, k=3)
    return model, ct.data.NumpyDataset(FINGERPRINTS, FINGERPRINTS[:, :1]), FINGERPRINTS


def process():
    model = ct.models.TanimotoGP(2, 16, 6)
    return model, ct.data.NumpyDataset(np.round(4 * X), Y), np.round(4 * X)


def ridge():
    return ct.models.RidgeRegression(2, 16), ct.data.NumpyDataset(X, Y), X


def euclidean():
    return ct.models.EuclideanKNNClassifier(2, 16), ct.data.NumpyDataset(X, Y), X


def cnn():
    options = {"dropouts": 0.5, "batch_norm": True, "mode": "regression", "batch_size": 4, "seed": 0}
    model = ct.models.CNN(1, 3, 2, layer_filters=[4], **options)
    return model, ct.data.NumpyDataset(IMAGES, np.ones((12, 1))), IMAGES


def resnet():
    model = ct.models.ResNetClassifier(1, 3, layer_filters=[4], blocks=1, batch_size=4, seed=0)
    return model, ct.data.NumpyDataset(IMAGES, np.arange(12.0)[:, None] % 2), IMAGES


def unet():
    model = ct.models.UNet(n_tasks=1, n_features=3, dims=2, layer_filters=[4, 8], batch_size=4, seed=0)
    return model, ct.data.NumpyDataset(IMAGES, (IMAGES[..., :1] > 0.5).astype(float)), IMAGES


READER = {"hidden_size": 6, "num_layers": 2, "dropout": 0.5, "batch_size": 2, "seed": 0}


def sequences(**options):
    tokenizer = ct.data.DNATokenizer()
    data = ct.data.SequenceDataset.from_texts(TEXTS, tokenizer, np.arange(6.0))
    return ct.models.SequenceRegressor(1, tokenizer=tokenizer, **READER, **options), data, data


def truncated():
    return sequences(truncation=2)


def language(**options):
    tokenizer = ct.data.CharTokenizer.fit(TEXTS)
    data = ct.data.SequenceDataset.from_texts(TEXTS, tokenizer)
    return ct.models.LanguageModel(tokenizer, **READER, **options), data, data


def graph():
    x, y, w = (kind(shape=(None, n)) for kind, n in ((layers.Feature, 16), (layers.Label, 2), (layers.Weights, 2)))
    hidden = layers.BatchNorm(layers.Dense(8, activation_fn="relu", in_layers=x))
    guess = layers.Dense(2, in_layers=layers.Dropout(0.5, in_layers=hidden))
    model = ct.models.TensorGraph(batch_size=8, seed=0)
    model.set_loss(layers.WeightedError([layers.SigmoidCrossEntropy([y, guess]), w]))
    model.add_output(guess)
    return model, ct.data.NumpyDataset(X, Y), X


@ct.models.register
class OwnNet(ct.nn.Module):
    """A user's own net: from 16 features to 2 numbers."""

    def __init__(self, width=8, dropout=0.5, seed=0):
        super().__init__()
        self.width, self.dropout, self.seed = width, dropout, seed
        self.first = ct.nn.Linear(16, width, "relu", rng=seed)
        self.drop, self.last = ct.nn.Dropout(dropout), ct.nn.Linear(width, 2, rng=seed + 1)

    def forward(self, x):
        return self.last(self.drop(self.first(x)))


def own():
    model = ct.models.NetModel(OwnNet(), "SigmoidCrossEntropy", ct.optim.Momentum(lr=0.1), batch_size=8, seed=0)
    return model, ct.data.NumpyDataset(X, Y), X


def autoencoder():
    model = ct.models.DenoisingAutoencoder(16, 3, layer_sizes=[8], noise_stddev=0.1, batch_size=8, seed=0)
    return model, ct.data.NumpyDataset(X), X


def vae():
    model = ct.models.VAE(16, 3, layer_sizes=[8], annealing_epochs=3, batch_size=8, seed=0)
    return model, ct.data.NumpyDataset(X), X


def smiles_vae():
    tokenizer = ct.data.CharTokenizer.fit(TEXTS)
    data = ct.data.SequenceDataset.from_texts(TEXTS, tokenizer, np.arange(6.0))
    reader = {"hidden_size": 6, "num_layers": 2, "batch_size": 2, "seed": 0}
    return ct.models.SmilesVAE(tokenizer, 3, token_dropout=0.2, n_properties=1, **reader), data, data


NETS = [dense, regressor, ensemble, cnn, resnet, unet, sequences, truncated, language, graph, own, autoencoder]
MODELS = [*NETS, sparse, packed, neighbors, process, ridge, euclidean, vae, smiles_vae]
