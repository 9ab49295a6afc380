"""Tests that a TensorGraph refuses wrong inputs by the name of their layer."""

from __future__ import annotations

import json

import numpy as np
import pytest

import catalase as ct
from catalase._internal import registry, storage
from catalase.models import TensorGraph
from catalase.models.tensorgraph import layers
from tests.models.graphs import digits_graph, line_graph


def graph_of(loss=None, output=None):
    model = TensorGraph()
    if output is not None:
        model.add_output(output)
    if loss is not None:
        model.set_loss(loss)
    return model


X4 = layers.Feature(shape=(None, 4), name="sequence")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (layers.Conv2D(3, in_layers=X4, name="first"), r"first \(Conv2D\).*height, width.*\(4,\).*sequence"),
        (layers.Conv1D(3, 9, in_layers=layers.Reshape((None, 4, 1), in_layers=X4)), "Conv1D_3.*kernel"),
        (layers.GRU(3, in_layers=X4), r"GRU_2.*\(rows, steps, channels\).*\(4,\).*Reshape"),
        (layers.Reshape((None, 3), in_layers=X4), "Reshape_2.*do not fit"),
        (layers.Dense(3), "Dense_1 takes 1 in_layers, got 0"),
        (layers.Flatten([X4, layers.ReLU(X4)]), "Flatten_3 takes 1 in_layers, got 2"),
        (layers.Concat([X4, layers.Dense(2, in_layers=X4)], axis=3), "Concat_3.*axis"),
        (layers.L2Loss([X4, layers.Dense(3, in_layers=X4)]), "L2Loss_3.*one shape"),
        (layers.Add([X4, X4], weights=[1.0]), "Add_2.*1 weights for 2"),
        (layers.WeightDecay(0.1, "l2", in_layers=X4), "WeightDecay_2 must be the loss"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_name_of_its_layer(output, said):
    with pytest.raises(ValueError, match=said):
        graph_of(output=output).build()


def test_circles_and_equal_names_are_refused():
    first = layers.Dense(4, in_layers=X4, name="first")
    second = layers.ReLU(first, name="second")
    first.in_layers = [second]
    with pytest.raises(ValueError, match="second <- first <- second"):
        graph_of(output=second)
    with pytest.raises(ValueError, match="two layers are named 'sequence'"):
        graph_of(output=layers.Concat([X4, layers.Feature(shape=(None, 4), name="sequence")]))


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: layers.Dense(0), ValueError, "Dense: out_channels"),
        (lambda: layers.LSTM(0, 10), ValueError, "LSTM: n_hidden"),
        (lambda: layers.GRU(3, 0), ValueError, "GRU: batch_size"),
        (lambda: layers.Dense(3, activation_fn="swish"), ValueError, "Dense: the activation.*relu"),
        (lambda: layers.Dense(3, activation_fn=np.tanh), ValueError, "Dense: the activation"),
        (lambda: layers.Dense(3, weights_initializer="magic"), ValueError, "weights_initializer.*xavier"),
        (lambda: layers.Dense(3, in_layers="x"), TypeError, "in_layers must be a layer"),
        (lambda: layers.Flatten(name="a.b"), ValueError, "name"),
        (lambda: layers.Conv2D(3, (1, 2, 3)), ValueError, "kernel_size"),
        (lambda: layers.Conv2D(3, padding="full"), ValueError, "SAME"),
        (lambda: layers.MaxPool2D([2, 2, 2, 1]), ValueError, "rows and channels"),
        (lambda: layers.Reshape((28, 28)), ValueError, "first length"),
        (lambda: layers.Feature(shape=(None, None)), ValueError, "after the first"),
        (lambda: layers.Feature(shape=784), ValueError, "tuple"),
        (lambda: layers.Dropout(1.0), ValueError, "below 1"),
        (lambda: layers.WeightDecay(-1, "l2"), ValueError, "penalty"),
        (lambda: layers.WeightDecay(1, "l3"), ValueError, "penalty_type"),
        (lambda: layers.BatchNorm(momentum=2), ValueError, "momentum"),
        (lambda: layers.ReduceMean(axis="rows"), ValueError, "axis"),
        (lambda: layers.Concat([X4, X4], axis=1.5), TypeError, "Concat: axis must be a whole number, got 1.5"),
        (lambda: layers.Concat([X4, X4], axis=True), TypeError, "Concat: axis must be a whole number"),
        (lambda: TensorGraph(batch_size=0), ValueError, "batch_size"),
        (lambda: TensorGraph(seed=-1), ValueError, "seed"),
        (lambda: TensorGraph().set_loss("loss"), TypeError, "set_loss takes a layer"),
        (lambda: TensorGraph().build(), ValueError, "empty"),
        (lambda: line_graph().predict(np.zeros((2, 5))), ValueError, r"x takes rows of shape \(3,\)"),
        (lambda: line_graph().predict(np.full((2, 3), np.inf)), ValueError, "x was fed a value that is not finite"),
        (lambda: line_graph().predict(np.array([["a"] * 3])), TypeError, "X must be an array of numbers"),
        (lambda: line_graph().predict([np.zeros((2, 3)), np.zeros((2, 3))]), ValueError, "1 Feature layers.*2 arrays"),
        (lambda: line_graph().fit_generator([]), ValueError, "yielded no batch"),
        (lambda: line_graph().fit_generator([{"z": 1}]), ValueError, "'z' is no input.*x, y"),
        (lambda: line_graph().fit_generator([{"x": np.zeros((2, 3))}]), ValueError, "y was fed nothing"),
        (lambda: line_graph().fit_generator([(np.zeros((2, 3)), np.zeros((3, 1)))]), ValueError, "as many rows"),
        (lambda: line_graph().fit_generator([5]), TypeError, "must yield a dict"),
        (lambda: line_graph().fit(np.zeros((2, 3))), TypeError, "needs a dataset"),
        (lambda: line_graph().fit(ct.data.NumpyDataset(np.zeros((0, 3)), np.zeros(0))), ValueError, "empty"),
        (lambda: graph_of(output=layers.ReLU(X4)).fit([X4]), ValueError, "no loss"),
        (lambda: graph_of(loss=layers.ReLU(X4)).fit([X4]), ValueError, "ReLU_2 must be one number"),
        (lambda: graph_of(loss=layers.ReduceMean(X4)).predict(np.zeros((2, 4))), ValueError, "no output"),
        (lambda: graph_of(output=layers.ReduceMean(X4)).predict(np.zeros((2, 4))), ValueError, "cannot be an output"),
        (lambda: line_graph().predict(np.zeros((2, 3)), outputs=X4), ValueError, "not in this graph"),
    ],
)
def test_what_is_wrong_is_said(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_a_built_net_takes_no_more_layers():
    model = line_graph()
    model.build()
    with pytest.raises(RuntimeError, match="after the net was built"):
        model.add_output(model.layers["guess"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["layers"][1].update(out_channels=0), "out_channels"),
        (lambda c: c["layers"][1].update(inputs=[99]), "99"),
        (lambda c: c["layers"][1].update(inputs=[1]), "depend on themselves"),
        (lambda c: c["layers"][1].update(activation_fn="os.system"), "activation_fn"),
        (lambda c: c["layers"][1].update(extra=1), "no field 'extra'"),
        (lambda c: c["layers"][1].update({"class": "os.system"}), "unknown class"),
        (lambda c: c["layers"][1].update({"class": "MultitaskRegressor"}), "unknown class"),
        (lambda c: c["layers"][1].update(node="../x"), "name"),
        (lambda c: c.update(loss=17), "17"),
        (lambda c: c.update(outputs=[], loss=None), "empty"),
    ],
)
def test_an_altered_config_is_refused(change, said):
    config = json.loads(json.dumps(line_graph().to_config()))
    registry.build(config, ct.models.Model)
    change(config)
    with pytest.raises(ValueError, match=said):
        registry.build(config, ct.models.Model)


def test_restoring_a_graph_of_other_layers_is_refused(tmp_path):
    line_graph().save(tmp_path / "m")
    with pytest.raises(ValueError, match="graph of other layers"):
        digits_graph(model_dir=tmp_path / "m").restore()
    ct.models.MultitaskRegressor(1, 3, layer_sizes=[2]).save(tmp_path / "n")
    with pytest.raises(ValueError, match="holds a MultitaskRegressor"):
        line_graph().restore(tmp_path / "n")
    config, arrays = storage.load_folder(tmp_path / "m")
    arrays.pop(next(iter(arrays)))
    storage.save_folder(tmp_path / "m", {k: config[k] for k in ("kind", "model", "transformers", "featurizer")}, arrays)
    with pytest.raises(ValueError, match="a larger net than the file of its weights holds"):
        ct.models.load(tmp_path / "m")


def weighted_graph():
    x, y, w = (
        layers.Feature(shape=(None, 3), name="x"),
        layers.Label(shape=(None, 1), name="y"),
        layers.Weights(shape=(None, 1), name="w"),
    )
    model = TensorGraph(batch_size=10, seed=0)
    model.set_loss(layers.WeightedError([layers.L2Loss([layers.Dense(1, in_layers=x), y]), w]))
    return model


def test_a_missing_label_needs_the_weight_0():
    X, missing = np.ones((2, 3), np.float32), np.array([[np.nan], [1.0]])
    weighted_graph().fit_generator([{"x": X, "y": missing, "w": np.array([[0.0], [1.0]])}])
    with pytest.raises(ValueError, match=r"y was fed NaN.*row 0.*no weight of 0"):
        weighted_graph().fit_generator([{"x": X, "y": missing, "w": np.ones((2, 1))}])
    with pytest.raises(ValueError, match="w was fed a value that is not finite"):
        weighted_graph().fit_generator([{"x": X, "y": np.ones((2, 1)), "w": missing}])
