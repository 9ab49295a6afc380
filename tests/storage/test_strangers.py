"""Tests that hostile files of a few bytes cost neither gigabytes nor minutes, and that weights that are not finite are refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest

import catalase as ct
from catalase._internal.storage.files import canonical_json

LIMITED = """
import resource, sys
import catalase as ct, numpy as np
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20),) * 2)
try:
    {code}
    print("accepted")
except ValueError as error:
    print(error)
"""


def reseal(path, change):
    """Change a checked JSON file, and give it the digest that fits: it is no secret."""
    content = json.loads(path.read_text())
    content.pop("digest")
    change(content)
    content["digest"] = hashlib.sha256(canonical_json(content)).hexdigest()
    path.write_text(json.dumps(content))


def refusal(code, folder):
    """What a process with 200 MB to spend says."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(code=code)], capture_output=True, text=True, cwd=folder, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sequence_model():
    return ct.models.LanguageModel(ct.data.SmilesTokenizer.fit(["CCO"]), hidden_size=8, seed=0)


MODELS = [
    (lambda: ct.models.MultitaskRegressor(1, 64, layer_sizes=[8], seed=0), {"layer_sizes": [10**6]}),
    (lambda: ct.models.MultitaskRegressor(1, 64, layer_sizes=[8], seed=0), {"layer_sizes": [30000], "n_features": 30000}),
    (lambda: ct.models.MultitaskRegressor(1, 64, layer_sizes=[8], seed=0), {"layer_sizes": [1] * 900, "dropouts": [0.0] * 900,
        "weight_init_stddevs": [0.1] * 901, "bias_init_consts": [1.0] * 901, "activation_fns": ["relu"] * 900}),
    (lambda: ct.models.CNN(1, 3, 2, layer_filters=[4], seed=0), {"kernel_size": [3007]}),
    (lambda: ct.models.CNN(1, 3, 2, layer_filters=[4], seed=0), {"dense_layer_size": 10**6, "layer_filters": [10**6]}),
    (lambda: ct.models.ResNetClassifier(1, 3, layer_filters=[4], blocks=1, seed=0), {"layer_filters": [10**5]}),
    (lambda: ct.models.ResNetClassifier(1, 3, layer_filters=[4], blocks=1, seed=0), {"blocks": 10**5}),
    (lambda: ct.models.UNet(1, 3, 2, layer_filters=[4, 8], seed=0), {"layer_filters": [10**5, 10**5]}),
    (lambda: ct.models.VAE(64, 2, [8], seed=0), {"layer_sizes": [10**6]}),
    (lambda: ct.models.VAE((8, 8, 1), 2, [8], [4], seed=0), {"layer_filters": [10**5, 10**5]}),
    (sequence_model, {"hidden_size": 8007}),
    (sequence_model, {"num_layers": 10**5}),
    (sequence_model, {"embedding_size": 10**8}),
]  # fmt: skip


@pytest.mark.parametrize("make, change", MODELS, ids=lambda v: str(v)[:40] if isinstance(v, dict) else None)
def test_a_net_larger_than_its_weights_is_refused_before_it_is_drawn(tmp_path, make, change):
    make().save(tmp_path / "m")
    reseal(tmp_path / "m" / "config.json", lambda c: c["config"]["model"].update(change))
    said = refusal("ct.models.load('m')", tmp_path)
    assert "larger net than the file of its weights" in said or "must be" in said, said


def test_a_graph_of_layers_larger_than_its_weights_is_refused(tmp_path):
    layers = ct.models.tensorgraph.layers
    graph = ct.models.TensorGraph(seed=0)
    x = layers.Feature(shape=(None, 8))
    out = layers.Dense(out_channels=1, in_layers=x)
    graph.add_output(out)
    graph.set_loss(layers.ReduceMean(in_layers=layers.L2Loss(in_layers=[layers.Label(shape=(None, 1)), out])))
    graph.build()
    graph.save(tmp_path / "m")
    text = (tmp_path / "m" / "config.json").read_text()
    assert '"out_channels": 1' in text and "8" in text

    def change(content, value=10**7):
        def walk(node):
            for key, item in node.items() if isinstance(node, dict) else enumerate(node):
                if key == "out_channels":
                    node[key] = value
                elif isinstance(item, (dict, list)):
                    walk(item)

        walk(content["config"]["model"])

    reseal(tmp_path / "m" / "config.json", change)
    assert "larger net than the file of its weights" in refusal("ct.models.load('m')", tmp_path)


def test_lists_of_shards_are_bounded_by_the_folder(tmp_path):
    rows = ct.data.NumpyDataset(np.ones((3, 2)), np.ones((3, 1)))
    for place, value in ((("shards", 0, "rows"), 10**10), (("columns", "ids", "dtype"), "<U99999999")):
        ct.data.DiskDataset.create(tmp_path / "d", [rows] * 2)

        def change(content, place=place, value=value):
            for key in place[:-1]:
                content = content[key]
            content[place[-1]] = value

        reseal(tmp_path / "d" / "manifest.json", change)
        said = refusal("d = ct.data.DiskDataset('d'); np.asarray(d.X); np.asarray(d.ids)", tmp_path)
        assert "make the dataset again" in said, said
        shutil.rmtree(tmp_path / "d")


def test_deepchems_folder_is_bounded_too(tmp_path):
    folder = tmp_path / "dc"
    folder.mkdir()
    (folder / "tasks.json").write_text("[]")
    for text in (b"ids,X,y,w\n" + b"i.npy,X.npy,y.npy,w.npy\n" * 10**6, b"ids,X,y,w\n" + b"A" * 10**8):
        (folder / "metadata.csv.gzip").write_bytes(gzip.compress(text, 1))
        said = refusal("ct.data.DiskDataset('dc')", tmp_path)
        assert "lists more shards than there are files" in said or "longer than a list of the files" in said, said
    (folder / "tasks.json").write_text("[" * 10**5 + "]" * 10**5)
    assert "nested 100000 levels deep" in refusal("ct.data.DiskDataset('dc')", tmp_path)
    (folder / "tasks.json").write_text('["[[[[", "a \\" ]]"]')  # brackets inside names do not count
    said = refusal("ct.data.DiskDataset('dc')", tmp_path)
    assert "tasks.json" not in said


def test_a_record_of_many_shards_is_refused_at_once(tmp_path):
    model = ct.models.MultitaskRegressor(1, 64, layer_sizes=[4], seed=0)
    model.featurizer = ct.feat.CircularFingerprint(size=64)
    (tmp_path / "l.smi").write_text("CCO a\nCCN b\n")
    ct.screen(model, tmp_path / "l.smi", top=1, out=tmp_path / "h.csv", shard="1/2")
    reseal(tmp_path / "h.csv.json", lambda c: c["settings"].update(shard=[1, 10**8]))
    assert "are not among the files" in refusal("ct.screening.merge(['h.csv'])", tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_neither_saved_nor_loaded(tmp_path, value, monkeypatch):
    model = ct.models.MultitaskRegressor(1, 8, layer_sizes=[4], seed=0)
    model.save(tmp_path / "m")
    kept = model.predict(np.ones((1, 8), np.float32))
    model.module.layers[-1].w.data[0, 0] = value
    with pytest.raises(ValueError, match=r"MultitaskRegressor\.save: the weights layers\.\d\.w hold NaN or infinity"):
        model.save(tmp_path / "m")
    assert np.array_equal(ct.models.load(tmp_path / "m").predict(np.ones((1, 8), np.float32)), kept)
    monkeypatch.setattr("catalase.models.model.check_finite", lambda *_: None)
    model.save(tmp_path / "m")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"load: the weights layers\.\d\.w hold NaN or infinity"):
        ct.models.load(tmp_path / "m")


def layers_of(model, rows=8):
    """A graph of layers between rows of the shape (8, 4) and (rows, 1)."""
    layers = ct.models.tensorgraph.layers
    x = layers.Feature(shape=(None, 8, 4))
    out = layers.Dense(out_channels=1, in_layers=model(layers, x))
    graph = ct.models.TensorGraph(seed=0)
    graph.add_output(out)
    graph.set_loss(layers.ReduceMean(in_layers=layers.L2Loss(in_layers=[layers.Label(shape=(None, rows, 1)), out])))
    return graph


def change_layer(kind, **settings):
    def change(content):
        layer = next(one for one in content["config"]["model"]["layers"] if one["class"] == f"TensorGraph.{kind}")
        layer.update(settings)

    return change


def doubled(layers, x, times=1):
    for _ in range(times):
        x = layers.Concat(in_layers=[x, x])
    return x


GRAPHS = [
    (lambda layers, x: doubled(layers, x, 6), 512, lambda c: [
        layer.update(inputs=layer["inputs"] * 32)
        for layer in c["config"]["model"]["layers"] if layer["class"] == "TensorGraph.Concat"], "TensorGraph: layer"),
    (lambda layers, x: layers.LSTM(n_hidden=2, in_layers=x), 8, change_layer("Feature", shape=[None, 10**9, 4]), "accepted"),
    (lambda layers, x: layers.GRU(n_hidden=2, in_layers=x), 8, change_layer("Feature", shape=[None, 10**9, 4]), "accepted"),
    (lambda layers, x: layers.Reshape((None, 8, 1), layers.Conv2DTranspose(1, 3, in_layers=layers.Reshape((None, 2, 4, 4), x))),
        8, change_layer("Conv2DTranspose", stride=[10**5, 10**5]), "do not fit"),
    (lambda layers, x: layers.Reshape((None, 8, 4), x), 8, change_layer("Reshape", shape=[None, 2**61]), "do not fit"),
]  # fmt: skip


@pytest.mark.parametrize("make, rows, change, words", GRAPHS, ids=["concat", "lstm", "gru", "transposed", "reshape"])
def test_shapes_of_a_saved_graph_are_found_without_any_rows(tmp_path, make, rows, change, words):
    layers_of(make, rows).save(tmp_path / "m")
    reseal(tmp_path / "m" / "config.json", change)
    said = refusal("ct.models.load('m')", tmp_path)
    assert said and (words is None or words in said), said


def test_a_loaded_graph_has_the_shapes_of_the_built_one(tmp_path):
    graph = layers_of(doubled, 16)
    graph.save(tmp_path / "m")
    loaded = ct.models.load(tmp_path / "m")
    assert [shape[1:] for shape in loaded.graph.shapes] == [shape[1:] for shape in graph.graph.shapes]
    assert loaded.summary() == graph.summary()
    x = np.ones((3, 8, 4), np.float32)
    assert np.array_equal(loaded.predict(x), graph.predict(x))


def test_a_header_claims_no_more_memory_than_there_are_bytes(tmp_path):
    (tmp_path / "idx").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 2**13, 2**13, 2**13) + b"abc")
    assert "is cut short" in refusal("ct.data.mnist.read_idx('idx')", tmp_path)
    (tmp_path / "idx").write_bytes(struct.pack(">4B", 0, 0, 8, 255) + struct.pack(">I", 1) * 255 + b"a")
    assert "claims the shape" in refusal("ct.data.mnist.read_idx('idx')", tmp_path)
    claimed = {
        "bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc",
        "text": b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"abc",
        "values": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01\x8a\x08"
        + struct.pack("<q", 2**40) + b"\x85cnumpy\ndtype\nX\x02\x00\x00\x00S0\x89\x88\x87R(K\x03X\x01\x00\x00\x00|NNNK\xff"
        b"K\xffK\x00tb\x89C\x00tb.",
    }  # fmt: skip
    for name, data in claimed.items():
        (tmp_path / "x.joblib").write_bytes(data)
        said = refusal("from catalase.data.array_files import load_joblib; load_joblib('x.joblib')", tmp_path)
        assert "cannot be read" in said and ("remain" in said or "which take no bytes" in said), (name, said)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda c: c["shards"][0].update(rows=10**30), "an impossible length"),
        (lambda c: c["shards"].append(c["shards"][0]), "there twice"),
        (lambda c: c["shards"][1].update(rows=10**10), "was altered or cut short"),
    ],
)
def test_a_dataset_has_no_more_rows_than_its_files_have_bytes(tmp_path, change, words):
    ct.data.DiskDataset.create(tmp_path / "d", [ct.data.NumpyDataset(np.ones((3, 2)), np.ones((3, 1)))] * 2)
    reseal(tmp_path / "d" / "manifest.json", change)
    with pytest.raises(ValueError, match=words):
        ct.data.DiskDataset(tmp_path / "d")


def npz(array):
    stream = io.BytesIO()
    np.savez(stream, array)
    return stream.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    "name, make, words",
    [
        ("places", npz, r"is not an \.npy file"),
        ("places", lambda a: npy(a + 1), "places beyond its 700 rows"),
        ("places", lambda a: npy(a - 1), "places beyond its 700 rows"),
        ("popcounts", lambda a: npy(a[::-1].copy()), "popcounts .* not in order"),
        ("popcounts", lambda a: npy(a - 1000), "popcounts .* not in order"),
        ("popcounts", lambda a: npy(np.full_like(a, 65)), "popcounts .* not in order"),
    ],
)
def test_an_index_that_was_made_up_is_refused(tmp_path, rng, name, make, words, monkeypatch):
    monkeypatch.setattr("catalase.fingerprint_index._CHECKED_ROWS", 100)
    ct.FingerprintIndex(rng.integers(0, 256, (700, 8), np.uint8)).save(tmp_path)
    assert len(ct.FingerprintIndex.load(tmp_path)) == 700
    (file,) = tmp_path.glob(f"{name}-*.npy")
    data = make(np.load(file))
    file.unlink()
    digest = hashlib.sha256(data).hexdigest()
    (tmp_path / f"{name}-{digest}.npy").write_bytes(data)
    reseal(tmp_path / "manifest.json", lambda c: c["files"].update({name: digest}))
    with pytest.raises(ValueError, match=words):
        ct.FingerprintIndex.load(tmp_path)


@pytest.mark.parametrize("where", ["weights", "optimizer", "callback"])
def test_a_checkpoint_that_is_not_finite_is_neither_written_nor_resumed(tmp_path, where, monkeypatch):
    X = np.eye(8, dtype=np.float32)
    data = ct.data.NumpyDataset(X, X[:, :1])

    class Spoil(ct.train.Callback):
        """The last step of an epoch may spoil the weights after its loss was looked at."""

        def on_epoch_end(self, state):
            if state.epoch == 1 and where == "weights":
                state.module.layers[-1].b.data[0] = np.inf
            elif state.epoch == 1 and where == "optimizer":
                moments = state.optimizer.state_dict()
                next(a for a in moments.values() if a.dtype.kind == "f" and a.size > 1).flat[0] = np.nan
                state.optimizer.load_state_dict(moments)

    class Keeps(ct.train.EarlyStopping):
        def state_arrays(self):
            return {name: np.full_like(a, np.nan) for name, a in super().state_arrays().items()}

    def callbacks():
        return [Spoil(), (Keeps if where == "callback" else ct.train.EarlyStopping)("loss", patience=9)]

    def model():
        return ct.models.MultitaskRegressor(1, 8, layer_sizes=[4], seed=0)

    if where == "callback":
        model().fit(data, 2, callbacks=[*callbacks(), ct.train.Checkpoint(tmp_path)], progress=False)
        with pytest.raises(ValueError, match=r"EarlyStopping: the weights .* hold NaN or infinity"):
            model().fit(
                data, 3, callbacks=[*callbacks(), ct.train.Checkpoint(tmp_path)], progress=False, resume=tmp_path
            )
        return
    with pytest.raises(FloatingPointError, match=r"Checkpoint: .* the state saved before stays in"):
        model().fit(data, 3, callbacks=[*callbacks(), ct.train.Checkpoint(tmp_path)], progress=False)
    monkeypatch.setattr(Spoil, "on_epoch_end", lambda self, state: None)
    again = model()
    again.fit(data, 3, callbacks=[*callbacks(), ct.train.Checkpoint(tmp_path)], progress=False, resume=tmp_path)
    assert len(again.history.epochs) == 3
