"""Models as files of ONNX: onnxruntime computes what `predict` answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import catalase as ct
from tests.models import kinds
from tests.reference.activations import NAMES

onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

SMILES = ["CCO", "c1ccccc1C(=O)O", "C", "CC(C)(C)N", "", "CCOC(=O)C1CCCCC1", "[Na+].[Cl-]"]


def run(model, path, feeds):
    """What onnxruntime computes; ``feeds`` is an array for the one input, or arrays by name."""
    model.to_onnx(path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    if not isinstance(feeds, dict):
        feeds = {session.get_inputs()[0].name: np.asarray(feeds, np.float32)}
    return session.run(None, feeds)[0]


def close(found, wanted, tolerance=1e-5):
    wanted = np.asarray(wanted)
    assert found.dtype == np.float32 and found.shape == wanted.shape
    assert np.allclose(found, wanted, rtol=tolerance, atol=tolerance, equal_nan=True), abs(found - wanted).max()


@pytest.mark.parametrize(
    "make", [kinds.dense, kinds.regressor, kinds.sparse, kinds.packed, kinds.ensemble, kinds.neighbors, kinds.process,
             kinds.ridge, kinds.euclidean, kinds.cnn, kinds.resnet, kinds.unet, kinds.graph], ids=lambda f: f.__name__,
)  # fmt: skip
def test_onnxruntime_answers_as_predict(make, tmp_path):
    model, data, X = make()
    model.fit(data, nb_epoch=2)
    given = X if X.dtype != np.uint8 else np.unpackbits(X, axis=1, bitorder="little")
    for rows in (given, given[:1]):
        close(run(model, tmp_path / "model.onnx", rows), model.predict(rows))


def padded(X):
    length = max(map(len, X))
    tokens = np.zeros((len(X), length), np.int64)
    for row, sequence in zip(tokens, X, strict=True):
        row[: len(sequence)] = sequence
    return {"tokens": tokens, "lengths": np.array(list(map(len, X)), np.int64)}


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "transformer"])
@pytest.mark.parametrize("pool", ["last", "mean", "max"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_sequence_models_answer_as_predict(cell, pool, bidirectional, tmp_path):
    tokenizer = ct.data.DNATokenizer()
    data = ct.data.SequenceDataset.from_texts(kinds.TEXTS, tokenizer, np.arange(6.0))
    model = ct.models.SequenceRegressor(
        1, tokenizer=tokenizer, cell=cell, pool=pool, bidirectional=bidirectional, num_heads=2, **kinds.READER
    )
    model.fit(data, nb_epoch=2)
    close(run(model, tmp_path / "model.onnx", padded([data.X[i] for i in range(6)])), model.predict(data))


def test_a_model_of_single_steps_answers_as_predict_up_to_each_length(tmp_path):
    X = [np.random.default_rng(i).random((n, 3)).astype(np.float32) for i, n in enumerate([5, 2, 1])]
    data = ct.data.SequenceDataset(X, [x[:, :1] for x in X], per_step=True)
    model = ct.models.SequenceRegressor(1, n_features=3, per_step=True, **kinds.READER)
    model.fit(data, nb_epoch=1)
    feeds = {"X": np.zeros((3, 5, 3), np.float32), "lengths": np.array([5, 2, 1])}
    for row, x in zip(feeds["X"], X, strict=True):
        row[: len(x)] = x
    found = run(model, tmp_path / "model.onnx", feeds)
    for row, wanted in zip(found, model.predict(data), strict=True):
        close(row[: len(wanted)], wanted)


@pytest.mark.parametrize("options", [{}, {"cell": "transformer", "num_heads": 2}])
def test_a_language_model_gives_log_likelihoods(options, tmp_path):
    model, data, _ = kinds.language(**options)
    model.fit(data, nb_epoch=2)
    close(run(model, tmp_path / "model.onnx", padded([data.X[i] for i in range(len(data))])), model.predict(data))


def graphs_as_feeds(graphs):
    feeds = {
        "atoms": np.concatenate([graphs.atom_features(i) for i in range(len(graphs))]),
        "bonds": np.concatenate([graphs.bond_features(i) for i in range(len(graphs))]),
        "edge_index": np.stack([graphs.source, graphs.target]).astype(np.int64),
        "atom_counts": graphs.atom_counts,
    }
    return feeds if graphs.bond_width else {name: array for name, array in feeds.items() if name != "bonds"}


GRAPH_NETS = [
    lambda: ct.models.DMPNNModel(2, message_hidden_dim=16, ffn_hidden_dim=8, seed=0),
    lambda: ct.models.DMPNNModel(1, message_hidden_dim=8, message_bias=True, aggregation="attention", batch_norm=True,
                                 activation="tanh", depth=1, mode="classification", seed=0),
    lambda: ct.models.DMPNNModel(1, message_hidden_dim=8, aggregation="mean", dropout=0.3, seed=0),
    *(lambda jump=jump: ct.models.GINModel(1, emb_dim=8, jump_knowledge=jump, dropout=0.2, seed=0) for jump in
      ("last", "sum", "max", "concat")),
    lambda: ct.models.GINModel(1, emb_dim=8, use_edges=False, train_eps=True, batch_norm=False, seed=0),
    lambda: ct.models.GraphConvModel(2, graph_conv_layers=[8, 6], dense_layer_size=8, dropout=0.2, seed=0),
    lambda: ct.models.GraphConvModel(1, [8], 8, 0.2, mode="regression", uncertainty=True, seed=0),
    lambda: ct.models.AttentiveFPModel(1, graph_feat_size=8, seed=0),
    lambda: ct.models.AttentiveFPModel(1, graph_feat_size=8, self_loop=False, mode="classification", seed=0),
]  # fmt: skip


@pytest.mark.parametrize("make", GRAPH_NETS)
def test_graph_nets_answer_as_predict(make, tmp_path):
    model = make()
    graphs = ct.ops.mol_graphs(SMILES, features=model.features, errors="mask")
    y = np.arange(len(graphs))[:, None] % 2 * np.ones((1, model.n_tasks))
    w = (graphs.atom_counts > 0)[:, None] * np.ones_like(y)
    model.fit(ct.data.GraphDataset(graphs, y.astype(np.float32), w), nb_epoch=2)
    close(run(model, tmp_path / "model.onnx", graphs_as_feeds(graphs)), model.predict(graphs))


class AttentionNet(ct.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer, self.readout = layer, ct.nn.GraphReadout("sum")

    def forward(self, batch):
        paths = batch.environments(1, along="atoms")
        return self.readout(self.layer(paths.atom_features, paths.depths[0]), paths.molecules)


@ct.interop.onnx.exporter(AttentionNet)
def attention_net(graph, net, batch):
    return graph.layer(net.readout, graph.layer(net.layer, batch.atoms, batch), batch)


@pytest.mark.parametrize("options", [
    {}, {"v2": True, "self_loops": False}, {"concat": False, "bias": False, "negative_slope": 0.5}], ids=str,
)  # fmt: skip
def test_attention_over_neighbours_with_several_heads(options, tmp_path):
    graphs = ct.ops.mol_graphs(SMILES, features="molgraph", errors="mask")
    model = ct.models.GINModel(1, seed=0)
    model.module = AttentionNet(ct.nn.GATConv(30, 4, heads=3, rng=0, **options))
    close(run(model, tmp_path / "model.onnx", graphs_as_feeds(graphs)), model.predict(graphs))


def test_extra_features_of_molecules_are_an_input_on_their_own_scale(tmp_path):
    extra = np.random.default_rng(0).standard_normal((len(SMILES), 3)).astype(np.float32) * [1, 100, 0]
    extra[0, 0], extra[1, 1] = np.nan, np.inf
    graphs = ct.ops.mol_graphs(SMILES, features="dmpnn", errors="mask").with_extra(extra.astype(np.float32))
    model = ct.models.DMPNNModel(1, message_hidden_dim=8, n_extra_features=3, seed=0)
    w = (graphs.atom_counts > 0)[:, None] * 1.0
    model.fit(ct.data.GraphDataset(graphs, np.arange(len(graphs))[:, None], w), nb_epoch=1)
    feeds = graphs_as_feeds(graphs) | {"extra": graphs.extra}
    close(run(model, tmp_path / "model.onnx", feeds), model.predict(graphs))


OPTIONS = [
    lambda **o: ct.models.MultitaskRegressor(2, 16, [12, 12, 8], residual=True, layer_norm=True, **o),
    *(lambda name=name, **o: ct.models.MultitaskRegressor(2, 16, [12], activation_fns=name, **o) for name in
      (*NAMES[1:], "identity")),
    lambda **o: ct.models.MultitaskRegressor(2, 16, [12], uncertainty=True, **o),
    lambda **o: ct.models.MultitaskRegressor(2, 16, [12], dtype="float64", **o),
    lambda **o: ct.models.EuclideanKNNRegressor(2, 16, weights="uniform", scale=False),
    lambda **o: ct.models.EuclideanKNNClassifier(2, 16, k=3, n_classes=3),
    lambda **o: ct.models.TanimotoGP(2, 16, 4, mode="classification"),
    lambda **o: ct.models.TanimotoGP(2, 16, 0),
]  # fmt: skip


@pytest.mark.parametrize("make", OPTIONS)
def test_options_of_models_on_features_hold(make, tmp_path):
    model = make() if make in OPTIONS[-4:] else make(seed=0)
    X = np.floor(4 * kinds.X)
    model.fit(ct.data.NumpyDataset(X, kinds.Y), nb_epoch=2)
    close(run(model, tmp_path / "model.onnx", X), model.predict(X))


def graphs_of_layers():
    """Graphs that have every layer of a TensorGraph that is not a loss, with what they are fed."""
    from catalase.models.tensorgraph import layers as L

    image = L.Feature(shape=(None, 8, 8), scale=0.5, name="image")
    conv = L.Conv2D(4, 3, in_layers=image)
    up = L.Conv2DTranspose(3, 2, stride=2, in_layers=L.MaxPool2D(in_layers=conv))
    both = L.Concat([conv, up], axis=-1)
    flat = L.Flatten(in_layers=L.AvgPool2D(in_layers=both))
    other = L.Feature(shape=(None, 5), name="other")
    hidden = L.BatchNorm(L.Dense(6, activation_fn="tanh", in_layers=flat))
    joined = L.Multiply([L.Add([hidden, L.Dense(6, in_layers=other)], weights=[0.5, 2.0]), L.Sigmoid(hidden)])
    yield L.SoftMax(L.Dense(3, in_layers=L.Dropout(0.5, in_layers=L.ReLU(joined)))), {"image": (8, 8), "other": (5,)}
    steps = L.Reshape((None, 6, 4), in_layers=L.Feature(shape=(None, 24), name="steps"))
    yield L.Tanh(L.GRU(5, in_layers=L.LSTM(3, in_layers=L.Conv1D(4, 3, in_layers=steps)))), {"steps": (24,)}


def test_graphs_of_layers_answer_as_predict(tmp_path):
    for output, shapes in graphs_of_layers():
        model = ct.models.TensorGraph(seed=0)
        model.add_output(output)
        feeds = {
            name: np.random.default_rng(0).random((3, *shape)).astype(np.float32) for name, shape in shapes.items()
        }
        wanted = model.predict_on_batch(list(feeds.values()) if len(feeds) > 1 else feeds["steps"])
        close(run(model, tmp_path / "model.onnx", feeds), wanted)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("options", [
    {"padding": "same", "strides": 2, "mode": "regression"}, {"padding": "same", "residual": True, "pool_type": "average"},
    {"kernel_size": 2, "dense_layer_size": 4, "batch_norm": True, "activation_fns": "tanh"},
], ids=str)  # fmt: skip
def test_convolutional_nets_of_every_number_of_dimensions(dims, options, tmp_path):
    X = np.random.default_rng(0).random((4, *[9, 8, 7][:dims], 2)).astype(np.float32)
    model = ct.models.CNN(1, 2, dims, [3, 3], **{"kernel_size": 3, "seed": 0} | options)
    model.fit(ct.data.NumpyDataset(X, np.arange(4.0)[:, None] % 2), nb_epoch=1)
    close(run(model, tmp_path / "model.onnx", X), model.predict(X))


def test_units_are_undone_and_pixels_scaled(tmp_path):
    X, y = np.random.default_rng(0).integers(0, 256, (8, 9, 9, 3), np.uint8), np.arange(8.0)[:, None] * 100 + 1000
    raw = ct.data.NumpyDataset(X, y)
    norm = ct.trans.NormalizationTransformer(dataset=raw)
    model = ct.models.CNN(1, 3, 2, [4], 3, mode="regression", seed=0)
    model.fit(norm.transform(raw), nb_epoch=1)
    model.transformers, model.tasks = [norm], ["solubility"]
    close(run(model, tmp_path / "model.onnx", X), model.predict(X))
    facts = {p.key: p.value for p in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert json.loads(facts["tasks"]) == ["solubility"] and facts["catalase_version"] == ct.__version__
    assert facts["model"] == "CNN" and json.loads(facts["transformers"])[0]["means"] == norm.means.tolist()


def test_an_ensemble_undoes_its_members_own_units(tmp_path):
    members = []
    for seed in range(2):
        data = ct.data.NumpyDataset(kinds.X, kinds.X[:, :1] * 10 + seed)
        norm = ct.trans.NormalizationTransformer(dataset=data)
        member = ct.models.MultitaskRegressor(1, 16, [8], seed=seed)
        member.fit(norm.transform(data), nb_epoch=1)
        member.transformers = [norm]
        members.append(member)
    model = ct.models.Ensemble(members)
    close(run(model, tmp_path / "model.onnx", kinds.X), model.predict(kinds.X))


LAYERS = [
    (ct.nn.Conv1D(4, 6, 3, stride=2, padding=1, groups=2, activation="gelu", rng=0), (9, 4)),
    (ct.nn.Conv2D(3, 4, (3, 2), dilation=2, padding="same", flip_kernel=True, rng=0), (8, 9, 3)),
    (ct.nn.Conv2D(3, 4, 2, padding="full", bias=False, rng=0), (4, 5, 3)),
    (ct.nn.Conv2D(3, 4, 3, padding=((1, 0), (2, 1)), rng=0), (4, 5, 3)),
    *((ct.nn.ConvTranspose2D(3, 4, k, stride=s, padding=p, rng=0), (4, 5, 3)) for k, s, p in
      ((3, 2, "same"), (2, 3, "same"), (3, 2, "valid"), (3, 1, "same"), (4, 2, 1))),
    *((kind(3, 2, "same"), (8, 7, 2)) for kind in (ct.nn.MaxPool2D, ct.nn.AvgPool2D)),
    *((kind(3, 2, 1), (8, 7, 2)) for kind in (ct.nn.MaxPool2D, ct.nn.AvgPool2D)),
    *((kind(), (6, 2)) for kind in (ct.nn.MaxPool1D, ct.nn.AvgPool1D, ct.nn.GlobalMaxPool, ct.nn.GlobalAvgPool)),
    (ct.nn.MaxPool3D(2), (4, 6, 4, 2)), (ct.nn.Upsample(2), (3, 4, 2)), (ct.nn.Upsample((2, 3), "linear"), (3, 4, 2)),
    (ct.nn.Flatten(), (3, 4, 2)), (ct.nn.Reshape((4, -1)), (24,)), (ct.nn.Softmax(), (5, 3)),
    (ct.nn.LayerNorm((4, 2), bias=False), (3, 4, 2)), (ct.nn.LayerNorm(2, elementwise_affine=False), (3, 2)),
    (ct.nn.RMSNorm(4), (3, 4)), (ct.nn.GroupNorm(2, 4), (3, 5, 4)), (ct.nn.GroupNorm(2, 4, affine=False), (4,)),
    (ct.nn.MultiHeadAttention(6, 2, rng=0), (5, 6)), (ct.nn.TransformerEncoderLayer(6, 3, activation="gelu", rng=0), (5, 6)),
    (ct.nn.SinusoidalPositions(), (7, 5)), (ct.nn.LearnedPositions(9, 4, rng=0), (7, 4)),
    (ct.nn.BatchNorm(3, activation="relu"), (4, 3)), (ct.nn.GELU(), (6,)), (ct.nn.Sequential(ct.nn.Linear(4, 6, rng=0), output_shape=(3, 2)), (4,)),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda v: repr(v)[:50])
def test_each_layer_has_an_exporter_that_agrees(layer, shape, tmp_path):
    class Rows(ct.models.NetModel):
        def _row_shape(self):
            return shape

    x = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    model = Rows(layer, "L2Loss")
    close(run(model, tmp_path / "model.onnx", x), model.predict(x))


def test_every_layer_of_the_library_has_an_exporter():
    from catalase.nn.onnx import _EXPORTERS

    without = {"Module", "ParameterBuffer"}
    for name in set(ct.nn.__all__) - without:
        layer = getattr(ct.nn, name)
        if isinstance(layer, type) and issubclass(layer, ct.nn.Module):
            assert next(c for c in layer.__mro__ if "forward" in vars(c)) in _EXPORTERS, name


def test_an_exporter_of_ones_own_is_a_few_lines(tmp_path):
    class Doubled(ct.nn.Module):
        def forward(self, x):
            return x + x

    class Rows(ct.models.NetModel):
        def _row_shape(self):
            return (4,)

    model = Rows(ct.nn.Sequential(Doubled()), "L2Loss")
    with pytest.raises(TypeError, match="no exporter is known for Doubled; list one"):
        model.to_onnx(tmp_path / "model.onnx")

    @ct.interop.onnx.exporter(Doubled)
    def doubled(graph, layer, x):
        return graph.op("Add", x, x)

    x = np.ones((2, 4), np.float32)
    close(run(model, tmp_path / "model.onnx", x), 2 * x)

    class Tripled(Doubled):
        def forward(self, x):
            return x + x + x

    with pytest.raises(TypeError, match="no exporter is known for Tripled"):
        Rows(Tripled(), "L2Loss").to_onnx(tmp_path / "model.onnx")


def test_what_cannot_be_exported_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(TypeError, match="this kind of model has no form in ONNX"):
        ct.models.AutoModel().to_onnx(path)
    with pytest.raises(TypeError, match="shape of a row of X is not known"):
        ct.models.NetModel(ct.nn.Linear(2, 2), "L2Loss").to_onnx(path)
    with pytest.raises(ValueError, match="call fit first"):
        ct.models.RidgeRegression(1, 4).to_onnx(path)
    with pytest.raises(ValueError, match="call fit first"):
        ct.models.TanimotoKNNRegressor(1, 8).to_onnx(path)
    with pytest.raises(TypeError, match="padding='same' with both a stride and a dilation"):
        conv = ct.nn.Conv1D(2, 2, 3, stride=2, dilation=2)
        ct.interop.onnx.Graph("f").layer(conv, ct.interop.onnx.Graph("f").input("X", np.float32, ("N", 8, 2)))

    class Logarithm(ct.trans.Transformer):
        transform_y = True

    model = ct.models.MultitaskRegressor(1, 4, [2])
    model.transformers = [Logarithm()]
    with pytest.raises(TypeError, match="only a NormalizationTransformer is exported"):
        model.to_onnx(path)
    assert not path.exists()


def test_the_page_about_onnx_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text()
    names = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(compile(block, "onnx.md", "exec"), names)  # noqa: S102
    assert names["out"].shape == (100, 1) and abs(names["out"] - 300).max() < 100


def test_models_of_other_libraries_are_refused(tmp_path):
    linear = pytest.importorskip("sklearn.linear_model")
    model = ct.models.SklearnModel(linear.LinearRegression())
    model.fit(ct.data.NumpyDataset(kinds.X, kinds.X[:, :1]))
    with pytest.raises(TypeError, match="this kind of model has no form in ONNX"):
        model.to_onnx(tmp_path / "model.onnx")
