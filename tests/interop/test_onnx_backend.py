"""ONNX's backend API on this library: the cases of ONNX's own tests pass or are refused in a sentence, and none is wrong."""

from __future__ import annotations

import glob
import os
import unittest
import warnings

import numpy as np
import pytest

import catalase as ct

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx.backend.test")
backend = ct.interop.onnx.backend
helper = onnx.helper

# Cases that are not compared, with the reason.
APART = {
    "test_loop16_seq_none": "ONNX's comparison takes the length of an array without axes; compared below",
    "test_attention_4d_causal_fp16_expanded": "half precision; ONNX's result is further from float64 than ours, see below",
}


def case_of(name):
    from onnx.backend.test.loader import load_model_tests

    return next(case for case in load_model_tests(kind="node") if case.name == name)


def value(found):
    """A value of a case: some hold tensors of ONNX instead of arrays."""
    if isinstance(found, list):
        return [value(v) for v in found]
    return onnx.numpy_helper.to_array(found) if isinstance(found, onnx.TensorProto) else found


def stored(path):
    tensor = onnx.TensorProto()
    with open(path, "rb") as file:
        tensor.ParseFromString(file.read())
    return onnx.numpy_helper.to_array(tensor)


def data_of(case):
    """The model of a case, and pairs of inputs and outputs."""
    if case.model is not None:
        return case.model, case.data_sets
    sets = []
    for folder in sorted(glob.glob(os.path.join(case.model_dir, "test_data_set_*"))):
        sets.append([[stored(os.path.join(folder, f"{way}_{i}.pb")) for i in
                      range(len(glob.glob(os.path.join(folder, f"{way}_*.pb"))))] for way in ("input", "output")])  # fmt: skip
    return onnx.load(os.path.join(case.model_dir, "model.onnx")), sets


@pytest.mark.parametrize(
    ("kind", "least"), [("node", 1500), ("simple", 15), ("pytorch-converted", 80), ("pytorch-operator", 30)]
)
def test_cases_of_onnx_pass_or_are_refused(kind, least):
    from onnx.backend.test.loader import load_model_tests
    from onnx.backend.test.runner import Runner

    passed, wrong = 0, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = [case for case in load_model_tests(kind=kind) if case.name not in APART]
    for case in cases:
        try:
            model, sets = data_of(case)
            prepared = backend.prepare(model)
            for inputs, outputs in sets:
                found = prepared.run([value(v) for v in inputs])
                Runner.assert_similar_outputs([value(v) for v in outputs], list(found), case.rtol, case.atol)
            passed += 1
        except NotImplementedError as error:
            assert "support" in str(error) or ": " in str(error)
        except Exception as error:
            wrong.append((case.name, f"{type(error).__name__}: {error}"[:200]))
    assert not wrong
    assert passed >= least, f"{passed} of {len(cases)} pass"


def test_a_half_precision_case_is_closer_to_float64_than_onnx_has_it():
    case = case_of("test_attention_4d_causal_fp16_expanded")
    inputs, (wanted,) = case.data_sets[0]
    q, k, v = (a.astype(np.float64) for a in inputs[:3])
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1])
    shares = np.exp(np.where(np.tril(np.ones(scores.shape[-2:])) > 0, scores, -np.inf))
    exact = shares / shares.sum(axis=-1, keepdims=True) @ v
    (found,) = backend.run_model(case.model, inputs)
    assert abs(found - exact).max() <= abs(wanted - exact).max()


def test_a_loop_with_a_sequence_that_may_be_absent():
    case = case_of("test_loop16_seq_none")
    inputs, (wanted,) = case.data_sets[0]
    (found,) = backend.run_model(case.model, inputs)
    assert [f.tolist() for f in found] == [w.tolist() for w in wanted]


def test_onnx_s_own_runner_takes_the_module():
    from onnx.backend.test import BackendTest

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tests = BackendTest(backend, __name__).include(r"^test_(relu|lstm_with_peepholes|basic_conv_with_padding)_cpu$")
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(kind) for kind in tests.test_cases.values()
    )
    result = unittest.TestResult()
    suite.run(result)
    assert not result.failures and not result.errors and result.testsRun - len(result.skipped) >= 3


def test_a_model_that_was_exported_runs_on_the_backend_with_predict_s_answers(tmp_path):
    X = np.random.default_rng(0).random((6, 9, 8, 3)).astype(np.float32)
    model = ct.models.ResNetClassifier(1, 3, layer_filters=[4, 6], blocks=1, seed=0)
    model.fit(ct.data.NumpyDataset(X, np.arange(6.0)[:, None] % 2), nb_epoch=1)
    model.to_onnx(tmp_path / "model.onnx")
    prepared = backend.prepare(tmp_path / "model.onnx")
    assert prepared.inputs == ["X"] and prepared.outputs == ["prediction"]
    for given in (X, [X], {"X": X}):
        assert np.allclose(prepared.run(given)[0], model.predict(X), atol=1e-5)
    with pytest.raises(ValueError, match="run: the model takes X; missing: X"):
        prepared.run([])
    with pytest.raises(ValueError, match="it has no input 'Z'"):
        prepared.run({"X": X, "Z": X})
    with pytest.raises(TypeError, match="run: inputs must be up to 1 arrays"):
        prepared.run([X, X])


def test_what_is_not_supported_is_refused():
    from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

    node = helper.make_node("ImageDecoder", ["x"], ["y"])
    with pytest.raises(BackendIsNotSupposedToImplementIt, match="operator ImageDecoder is not supported"):
        backend.run_node(node, [np.zeros(3, np.uint8)])
    lstm = helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=2, clip=1.0)
    with pytest.raises(NotImplementedError, match="run: LSTM: other activations, clip"):
        backend.run_node(lstm, [np.zeros(s, np.float32) for s in ((3, 1, 2), (1, 8, 2), (1, 8, 2))])
    model = helper.make_model(helper.make_graph([node], "g", [], []))
    assert not backend.is_compatible(model) and backend.supports_device("CPU") and not backend.supports_device("CUDA")
    with pytest.raises(ValueError, match="device must be 'CPU'"):
        backend.prepare(model, "CUDA")
    with pytest.raises(TypeError, match=r"prepare: model must be an onnx\.ModelProto"):
        backend.prepare(7)
    with pytest.raises(TypeError, match=r"run_node: node must be an onnx\.NodeProto"):
        backend.run_node(7, [])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_with_broadcast_batches(dtype):
    rng = np.random.default_rng(0)
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    for left, right in (
        ((2, 1, 3, 4), (5, 4, 6)),
        ((3, 4), (4, 2)),
        ((4,), (4, 2)),
        ((2, 3, 4), (4,)),
        ((0, 3, 4), (4, 2)),
    ):
        a, b = rng.random(left).astype(dtype), rng.random(right).astype(dtype)
        (found,) = backend.run_node(node, [a, b])
        assert found.dtype == dtype and np.allclose(found, np.matmul(a, b), rtol=1e-5)
