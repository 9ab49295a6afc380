"""Files from strangers: a few bytes cannot cost gigabytes or minutes, and weights that are no numbers are refused."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import catalase as ct
from catalase._storage.files import canonical_json

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
