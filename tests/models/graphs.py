"""Graphs of layers for several tests."""

from __future__ import annotations

from catalase.models import TensorGraph
from catalase.models.tensorgraph import layers


def digits_graph(**options):
    """The book's graph, small."""
    model = TensorGraph(**{"batch_size": 50, "seed": 1, "learning_rate": 0.003, **options})
    feature, label = layers.Feature(shape=(None, 64)), layers.Label(shape=(None, 10))
    image = layers.Reshape(shape=(None, 8, 8), in_layers=feature)
    conv = layers.Conv2D(num_outputs=8, kernel_size=3, activation_fn="relu", in_layers=image)
    conv = layers.Conv2D(num_outputs=16, kernel_size=3, in_layers=layers.MaxPool2D(in_layers=conv))
    dropped = layers.Dropout(0.2, in_layers=layers.Flatten(layers.BatchNorm(conv)))
    logits = layers.Dense(out_channels=10, activation_fn=None, in_layers=dropped)
    model.set_loss(layers.ReduceMean(in_layers=layers.SoftMaxCrossEntropy(in_layers=[label, logits])))
    model.add_output(layers.SoftMax(in_layers=logits))
    return model


def line_graph(**options):
    """A straight line with two outputs."""
    x, y = layers.Feature(shape=(None, 3), name="x"), layers.Label(shape=(None, 1), name="y")
    guess = layers.Dense(1, in_layers=x, name="guess")
    model = TensorGraph(**{"batch_size": 10, "seed": 0, "learning_rate": 0.05, **options})
    model.set_loss(layers.ReduceMean(layers.L2Loss([guess, y])))
    model.add_output(guess)
    return model
