"""Tests of models in servers: many threads, forked and spawned processes, joblib, Dask and Flask give one caller's bits."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import catalase as ct

CALLERS = 64
SMILES = ["C" * n + end for n in range(1, 9) for end in ("O", "N", "Cl", "c1ccccc1", "C(=O)O")]
LABELS = np.array([[len(text) / 2] for text in SMILES], np.float32)


def dense():
    featurizer = ct.feat.CircularFingerprint(size=512)
    model = ct.models.MultitaskRegressor(1, 512, layer_sizes=[32], dropouts=0.2, seed=0)
    model.fit(ct.data.NumpyDataset(featurizer.featurize(SMILES), LABELS, featurizer=featurizer), nb_epoch=2)
    return model


def graphs():
    featurizer = ct.feat.MolGraphFeaturizer()
    model = ct.models.DMPNNModel(1, message_hidden_dim=16, ffn_hidden_dim=16, seed=0)
    model.fit(ct.data.GraphDataset(featurizer.featurize(SMILES), LABELS, featurizer=featurizer), nb_epoch=2)
    return model


def gaussian_process():
    featurizer = ct.feat.CircularFingerprint(size=512, is_counts_based=True)
    model = ct.models.TanimotoGP(1, 512)
    model.fit(ct.data.NumpyDataset(featurizer.featurize(SMILES), LABELS, featurizer=featurizer))
    return model


def automatic():
    model = ct.models.AutoModel("regression", members=["ridge"], folds=3)
    model.fit(SMILES, LABELS)
    return model


KINDS = {make.__name__: make for make in (dense, graphs, gaussian_process, automatic)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A saved model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    for name, make in KINDS.items():
        make().save(folder / name)
    return folder


@pytest.fixture(autouse=True)
def threads():
    before = ct.get_num_threads()
    ct.set_num_threads(2)  # so that callers share the pool of the kernels
    yield
    ct.set_num_threads(before)


def share(caller: int) -> list[str]:
    """The molecules of one caller: another number of them, in another order, than the next caller's."""
    return [SMILES[(caller * 7 + i) % len(SMILES)] for i in range(1 + caller % 19)]


def answer(folder, caller=0):
    """What a process predicts that loads the model itself."""
    return ct.models.load(folder).predict(share(caller)).tobytes()


def bits_of_threads(model, callers=CALLERS):
    """What so many threads get that all start at once, each asking twice."""
    start = threading.Barrier(callers)

    def ask(caller):
        start.wait(60)
        return [model.predict(share(caller)).tobytes() for _ in range(2)]

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(ask, range(callers)))


@pytest.mark.parametrize("kind", KINDS)
def test_64_callers_at_once_get_the_bits_of_one_caller(kind, folders):
    model = ct.models.load(folders / kind)
    alone = [model.predict(share(caller)).tobytes() for caller in range(CALLERS)]
    assert bits_of_threads(model) == [[bits, bits] for bits in alone]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_model_predicts_in_a_forked_child_after_threaded_work_in_the_parent(kind, folders):
    code = f"""
import multiprocessing, os
from tests.test_serving import *
ct.set_num_threads(2)
model = ct.models.load({str(folders / kind)!r})
alone = [model.predict(share(caller)).tobytes() for caller in range(CALLERS)]
bits_of_threads(model)
def child(caller):
    return model.predict(share(caller)).tobytes()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(child, range(8)) == alone[:8]
    assert bits_of_threads(model, 8) == [[bits, bits] for bits in alone[:8]]  # the parent goes on, too
print("equal")
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert result.stdout.strip() == "equal", result.stderr


def test_spawned_processes_load_the_model_and_give_the_same_bits(folders):
    expected = [answer(folders / "dense", caller) for caller in range(4)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(answer, [folders / "dense"] * 4, range(4))) == expected


def test_workers_of_joblib_are_sent_a_model_and_give_the_same_bits(folders):
    joblib = pytest.importorskip("joblib")
    model = ct.models.load(folders / "automatic")
    calls = [joblib.delayed(model.predict)(share(caller)) for caller in range(4)]
    found = joblib.Parallel(n_jobs=2)(calls)
    assert [array.tobytes() for array in found] == [model.predict(share(caller)).tobytes() for caller in range(4)]


@pytest.mark.parametrize("processes", [False, True])
def test_workers_of_dask_are_sent_a_model_and_give_the_same_bits(processes, folders, tmp_path):
    distributed = pytest.importorskip("distributed")
    model = ct.models.load(folders / "dense")
    options = {"n_workers": 2, "threads_per_worker": 2, "processes": processes, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options, local_directory=tmp_path) as cluster,
        distributed.Client(cluster) as client,
    ):
        everywhere = client.scatter(model, broadcast=True)
        asked = [client.submit(ct.models.Model.predict, everywhere, share(caller)) for caller in range(8)]
        found = [array.tobytes() for array in client.gather(asked)]
    assert found == [model.predict(share(caller)).tobytes() for caller in range(8)]


def test_other_threads_of_python_run_while_kernels_compute():
    smiles, beats, done = SMILES * 5000, 0, threading.Event()
    worker = threading.Thread(target=lambda: (ct.ops.ecfp(smiles), done.set()))
    worker.start()
    while not done.wait(0.001):
        beats += 1
    worker.join()
    assert beats >= 10  # with the lock held, the call lets none through


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="needs Linux")
@pytest.mark.parametrize("threads_of_kernels", [1, 3])
def test_a_process_has_as_many_threads_of_kernels_as_the_environment_says(threads_of_kernels):
    code = """
import os, numpy as np, catalase as ct
count = lambda: len(os.listdir("/proc/self/task"))
a, before = np.ones((1000, 1000), np.float32), count()
ct.ops.matmul(a, a)
print(1 + count() - before)
"""
    environment = {**os.environ, "CATALASE_NUM_THREADS": str(threads_of_kernels)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert result.stdout.strip() == str(threads_of_kernels), result.stderr


def test_the_page_about_serving(tmp_path, monkeypatch):
    text = (Path(__file__).parents[1] / "docs" / "serving.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "serving.md", "exec"), names)  # noqa: S102
    assert isinstance(ct.models.load("model"), ct.models.AutoModel)


@pytest.fixture
def application(folders, monkeypatch):
    pytest.importorskip("flask")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "docs" / "examples"))
    import serve_flask

    yield serve_flask.application
    sys.modules.pop("serve_flask")


def test_the_example_with_flask_gives_predictions_and_intervals(application, folders):
    model = ct.models.load(folders / "automatic")
    reply = application(str(folders / "automatic")).test_client().post("/predict", json={"smiles": ["CCO", "CCCN"]})
    table = model.predict_table(["CCO", "CCCN"])
    assert reply.status_code == 200
    assert reply.json == {
        "tasks": model.tasks,
        "mean": table.mean.tolist(),
        "low": table.low.tolist(),
        "high": table.high.tolist(),
    }


@pytest.mark.parametrize(
    "body, words",
    [
        ({"smiles": ["CCO", "C1CC"]}, ["C1CC", "unclosed ring"]),
        ({"smiles": "CCO"}, ["[ ]"]),
        ({"smiles": [3]}, ["3"]),
        ({"text": ["CCO"]}, ['{"smiles": ["CCO"]}']),
        (["CCO"], ['{"smiles": ["CCO"]}']),
        (None, ['{"smiles": ["CCO"]}']),
    ],
)
def test_the_example_with_flask_answers_400_and_a_sentence(body, words, application, folders):
    reply = application(str(folders / "automatic")).test_client().post("/predict", json=body)
    assert reply.status_code == 400 and all(word in reply.json["error"] for word in words), reply.json


def test_the_example_with_flask_needs_a_model_with_intervals(application, folders):
    with pytest.raises(TypeError, match="holds a MultitaskRegressor; intervals need a saved AutoModel"):
        application(str(folders / "dense"))


def test_64_threads_of_flask_get_the_bits_of_one(application, folders):
    app = application(str(folders / "automatic"))

    def ask(caller):
        return app.test_client().post("/predict", json={"smiles": share(caller)}).json["mean"]

    alone = [ask(caller) for caller in range(CALLERS)]
    with ThreadPoolExecutor(CALLERS) as pool:
        assert list(pool.map(ask, range(CALLERS))) == alone
