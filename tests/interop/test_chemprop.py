"""Checkpoints of chemprop: what is written is read, nothing in a file is run, and what has no counterpart is named."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest

import catalase as ct
from catalase.interop.torch_file import Record, read_torch_file, write_torch_file

SMILES = ["CCO", "c1ccccc1", "C", "CC(=O)Oc1ccccc1C(=O)O", "[Na+].[Cl-]"]
EXTRA = np.array([[100.0, 1, 2], [np.nan, 1, 4], [300, 1, -4], [250, 1, 2], [150, 1, 2]], np.float32)  # one is constant
KINDS = [
    {},
    {"n_tasks": 3, "aggregation": "mean", "batch_norm": True, "message_bias": True, "ffn_num_layers": 2, "depth": 4},
    {"mode": "classification", "n_tasks": 2, "aggregation": "attention", "activation": "tanh", "ffn_num_layers": 0},
    {"mode": "classification", "n_tasks": 2, "n_classes": 4, "aggregation": "sum", "activation": "elu", "dropout": 0.1},
    {"features": "dmpnn_v1", "activation": "leaky_relu", "init_lr": 2e-4},
    {"n_extra_features": 3, "n_tasks": 2, "batch_norm": True},
]


def model_of(options):
    model = ct.models.DMPNNModel(message_hidden_dim=17, ffn_hidden_dim=9, seed=0, **options)
    if model.mode == "regression":
        model.module.label_mean.data[...] = 3.0
        model.module.label_scale.data[...] = 2.5
    if model.n_extra_features:
        model.module.extra.learn(EXTRA)
    return model


def graphs_for(model):
    graphs = ct.ops.mol_graphs(SMILES, model.features)
    return graphs.with_extra(EXTRA[:, : model.n_extra_features])


@pytest.mark.parametrize("options", KINDS)
def test_a_model_that_is_written_is_read(tmp_path, options):
    model = model_of(options)
    model.tasks = [f"task {i}" for i in range(model.n_tasks)]
    ct.interop.chemprop.save(model, tmp_path / "model.pt")
    again = ct.interop.chemprop.load(tmp_path / "model.pt")
    assert again.tasks == model.tasks
    same = {**model.to_config(), "batch_size": 64, "seed": None}
    assert {**again.to_config(), "seed": None} == same
    assert np.allclose(again.predict(graphs_for(model)), model.predict(graphs_for(model)), atol=1e-6)


@pytest.mark.parametrize("options", KINDS)
def test_chemprop_reads_what_is_written_and_predicts_the_same(tmp_path, options):
    models, data = pytest.importorskip("chemprop.models"), pytest.importorskip("chemprop.data")
    featurizers, torch = pytest.importorskip("chemprop.featurizers"), pytest.importorskip("torch")
    model = model_of(options)
    ct.interop.chemprop.save(model, tmp_path / "model.pt")
    theirs = models.MPNN.load_from_file(tmp_path / "model.pt").eval()
    atoms = featurizers.MultiHotAtomFeaturizer
    atoms = atoms.v1() if model.features == "dmpnn_v1" else atoms.v2()
    extra = EXTRA if model.n_extra_features else [None] * len(SMILES)
    rows = data.MoleculeDataset(
        [data.MoleculeDatapoint.from_smi(s, x_d=x) for s, x in zip(SMILES, extra, strict=True)],
        featurizers.SimpleMoleculeMolGraphFeaturizer(atom_featurizer=atoms),
    )
    with torch.no_grad():
        batch = next(iter(data.build_dataloader(rows, batch_size=len(SMILES), shuffle=False)))
        expected = theirs(batch.bmg, None, batch.X_d).numpy()
    found = model.predict(graphs_for(model))
    found = found[..., 1] if found.ndim == 3 and expected.ndim == 2 else found
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_tensors_keep_their_values(tmp_path, rng):
    arrays = {
        "a": rng.standard_normal((3, 4)).astype("f4"),
        "empty": np.zeros((0, 2), "f4"),
        "one": np.array(2.5, "f4"),
    }
    content = {"arrays": arrays, "list": [1, -2, True, None, "text é"], "pair": (0.5, Record("torch.nn.Linear"))}
    write_torch_file(tmp_path / "x.pt", content)
    found = read_torch_file(tmp_path / "x.pt", ("torch", "collections"))
    assert found["list"] == content["list"] and found["pair"][0] == 0.5 and found["pair"][1].name == "torch.nn.Linear"
    for name, array in arrays.items():
        assert np.array_equal(found["arrays"][name].array(), array)


def checkpoint(path, **changes):
    """A file that differs from a good one in some settings: "part.name" or "name" to a value."""
    from catalase.interop import chemprop

    model = model_of({})
    settings, state = chemprop._settings(model), chemprop._state(model)
    for key, value in changes.items():
        part, _, name = key.rpartition("__")
        (settings[part] if part else settings)[name] = value
    write_torch_file(path, {"hyper_parameters": settings, "state_dict": state, "output_columns": None})
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"message_passing__cls": Record("chemprop.nn.message_passing.base.AtomMessagePassing")}, "AtomMessagePassing"),
        ({"predictor__cls": Record("chemprop.nn.predictors.MveFFN")}, "a net with MveFFN"),
        ({"message_passing__d_v": 106}, "106 features of an atom"),
        ({"message_passing__d_vd": 3}, "descriptors beside the graph"),
        ({"message_passing__undirected": True}, "undirected"),
        ({"message_passing__activation": "PRELU"}, "activation PRELU"),
        ({"predictor__dropout": 0.3}, "different dropout"),
        ({"predictor__hidden_dim": [3, 4]}, "different widths"),
        ({"batch_norm": True}, "without 'bn.weight'"),
        ({"message_passing": {}}, "without 'cls'"),
    ],
)
def test_what_has_no_counterpart_is_named(tmp_path, changes, words):
    with pytest.raises(ValueError, match=words) as error:
        ct.interop.chemprop.load(checkpoint(tmp_path / "other.pt", **changes))
    assert "other.pt" in str(error.value)


@pytest.mark.parametrize(
    ("given", "state", "own"),
    [
        ("relu", None, "relu"),
        (Record("chemprop.nn.utils.Activation", ("tanh",)), None, "tanh"),
        (Record("torch.nn.modules.activation.ReLU", ()), {"inplace": False}, "relu"),
        (Record("torch.nn.modules.activation.LeakyReLU", ()), {"negative_slope": 0.01}, "leaky_relu"),
        (Record("torch.nn.modules.activation.ELU", ()), {"alpha": 1.0}, "elu"),
    ],
)
def test_activations_are_read_in_each_form_that_chemprop_writes(given, state, own):
    from catalase.interop.chemprop import _activation

    if state is not None:
        given.state = state
    assert _activation("x.pt", given) == own


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ("leakyrelu", None),  # chemprop's slope is 0.1
        (Record("torch.nn.modules.activation.LeakyReLU", ()), {"negative_slope": 0.1}),
        (Record("torch.nn.modules.activation.SELU", ()), {}),
    ],
)
def test_activations_without_a_counterpart_are_refused(given, state):
    from catalase.interop.chemprop import _activation

    if state is not None:
        given.state = state
    with pytest.raises(ValueError, match=r"x.pt: a net with the activation (leakyrelu|LeakyReLU|SELU); Catalase has"):
        _activation("x.pt", given)


def test_the_scaling_of_extra_features_is_read_with_the_weights(tmp_path):
    """A checkpoint without it (chemprop train --no-descriptor-scaling) takes them as they are, and none are clipped."""
    model = model_of({"n_extra_features": 3})
    ct.interop.chemprop.save(model, tmp_path / "model.pt")
    again = ct.interop.chemprop.load(tmp_path / "model.pt").module.extra
    assert np.array_equal(
        again.mean.numpy(), [*model.module.extra.mean.numpy()[:1], 0, *model.module.extra.mean.numpy()[2:]]
    )
    assert again.deviation.numpy()[1] == 1 and again.limits.numpy().min() > 1e38
    content = read_torch_file(tmp_path / "model.pt", ("torch", "collections", "chemprop"))
    assert content["hyper_parameters"]["X_d_transform"].name == "chemprop.nn.transforms.ScaleTransform"
    state = {key: values.array() for key, values in content["state_dict"].items() if not key.startswith("X_d")}
    write_torch_file(
        tmp_path / "raw.pt",
        {
            "hyper_parameters": content["hyper_parameters"] | {"X_d_transform": None},
            "state_dict": state,
            "output_columns": None,
        },
    )
    raw = ct.interop.chemprop.load(tmp_path / "raw.pt").module.extra
    assert not raw.mean.numpy().any() and (raw.deviation.numpy() == 1).all()


def archive(path, pickled, **parts):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("m/data.pkl", pickled)
        for name, data in parts.items():
            file.writestr(f"m/{name.replace('__', '/')}", data)
    return path


class Evil:
    def __reduce__(self):
        return eval, ("open('ran', 'w')",)


def test_nothing_in_a_file_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for content in ({"hyper_parameters": Evil(), "state_dict": {}}, Evil()):
        archive("evil.pt", pickle.dumps(content, 2))
        with pytest.raises(ValueError, match=r"evil.pt: cannot be read .* the name (builtins|__builtin__).eval"):
            ct.interop.chemprop.load("evil.pt")
    assert not (tmp_path / "ran").exists()


def test_files_of_another_kind_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        ct.interop.chemprop.load(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("no model")
    with pytest.raises(ValueError, match=r"text.pt: not a file of torch.save"):
        ct.interop.chemprop.load(tmp_path / "text.pt")
    for content, words in (
        ([1, 2], "no checkpoint of chemprop"),
        ({"args": 1, "state_dict": {}}, "chemprop 1; convert it"),
    ):
        with pytest.raises(ValueError, match=words):
            ct.interop.chemprop.load(archive(tmp_path / "x.pt", pickle.dumps(content, 2)))
    good = checkpoint(tmp_path / "good.pt").read_bytes()
    for size in (10, len(good) // 2, len(good) - 5):
        (tmp_path / "short.pt").write_bytes(good[:size])
        with pytest.raises(ValueError, match=r"short.pt"):
            ct.interop.chemprop.load(tmp_path / "short.pt")


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path):
    write_torch_file(tmp_path / "x.pt", {"a": np.zeros((3, 4), np.float32)})
    with zipfile.ZipFile(tmp_path / "x.pt") as file:
        parts = {name: file.read(name) for name in file.namelist()}
    pickled = parts["model/data.pkl"]
    for wrong in (
        pickled.replace(b"J\x03\0\0\0J\x04", b"J\x03\0\0\0J\x05"),
        pickled.replace(b"J\x0c\0\0\0", b"J\x0d\0\0\0"),
    ):
        assert wrong != pickled
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as file:
            for name, data in {**parts, "model/data.pkl": wrong}.items():
                file.writestr(name, data)
        (tmp_path / "y.pt").write_bytes(out.getvalue())
        with pytest.raises(ValueError, match=r"a (tensor of shape|storage of)"):
            read_torch_file(tmp_path / "y.pt", ("torch", "collections"))


def test_a_file_that_is_no_checkpoint_is_not_replaced(tmp_path):
    (tmp_path / "notes.pt").write_text("mine")
    with pytest.raises(ValueError, match=r"notes.pt"):
        ct.interop.chemprop.save(model_of({}), tmp_path / "notes.pt")
    assert (tmp_path / "notes.pt").read_text() == "mine"
    for _ in range(2):
        ct.interop.chemprop.save(model_of({}), tmp_path / "own.pt")


def test_what_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ValueError, match="no activation 'gelu'"):
        ct.interop.chemprop.save(model_of({"activation": "gelu"}), tmp_path / "x.pt")
    with pytest.raises(TypeError, match=r"must be a catalase.models.DMPNNModel"):
        ct.interop.chemprop.save(ct.models.MultitaskRegressor(1, 4), tmp_path / "x.pt")
