"""Tests that every kernel raises MemoryError at whichever allocation fails, and that the next call has right bits.

`CASES` holds a call of each public function of `catalase.ops`, and of other functions that allocate in C++. A new function
without a case fails `test_every_function_has_a_case`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import catalase as ct
from catalase import _core
from tests.ops.test_environments import ODD, packed
from tests.reference.activations import NAMES

ops = ct.ops
_MOST_ALLOCATIONS = 400  # of one call; more mean that the hook does not work


def _values(*shape: int, dtype: str = "f4") -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def _sparse(rows: int, columns: int) -> np.ndarray:
    return (np.random.default_rng(rows).random((rows, columns)) < 0.04).astype(np.float32)


def _bits(rows: int, width: int = 32) -> np.ndarray:
    return np.random.default_rng(rows).integers(0, 256, (rows, width), dtype=np.uint8)


CASES: dict[str, Callable[[], Any]] = {}  # each makes its arguments and returns the call
IN_PLACE: set[str] = set()  # the call changes an argument and returns it; it may succeed all the same


def case(name: str, make: Callable[[], Any], *, in_place: bool = False) -> None:
    CASES[name] = make
    if in_place:
        IN_PLACE.add(name)


def call(name: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    case(name, lambda: lambda: function(*arguments, **options))


def _rnn_cases() -> None:
    x, lengths = _values(9, 20, 12), np.arange(9) + 5
    for name, gates in (("rnn", 1), ("gru", 3), ("lstm", 4)):
        b = _values(2, 72) if name == "gru" else _values(gates * 24)
        weights = (_values(12, gates * 24), _values(24, gates * 24))
        for suffix in ("", "_forward"):
            call(name + suffix, getattr(ops, name + suffix), x, *weights, b, lengths=lengths)
        *_, saved = getattr(ops, name + "_forward")(x, *weights, b, lengths=lengths)
        gradients = (_values(9, 20, 24), None, None)[: 3 if name == "lstm" else 2]
        call(name + "_backward", getattr(ops, name + "_backward"), *gradients, x, *weights, saved, lengths=lengths)


def _window_cases() -> None:
    sizes = {1: (300,), 2: (24, 22), 3: (9, 10, 8)}
    for axes, size in sizes.items():
        x = _values(3, *size, 16)
        for kind in ("avg", "max"):
            name = f"{kind}_pool{axes}d"
            y = getattr(ops, name)(x)
            call(name, getattr(ops, name), x)
            given = x if kind == "max" else x.shape
            call(name + "_backward", getattr(ops, name + "_backward"), y, given)
        for name in (f"conv{axes}d", f"conv_transpose{axes}d"):
            for channels, filters in ((16, 20), (3, 8), (24, 3)):  # by blocks, and what few channels take
                x, w = _values(2, *size, channels), _values(*(3,) * axes, channels, filters)
                if name.startswith("conv_t"):
                    w = np.ascontiguousarray(w.swapaxes(-1, -2))
                function, label = getattr(ops, name), "" if channels == 16 else f" {channels} to {filters} channels"
                y = function(x, w, _values(filters), activation="relu")
                call(name + label, function, x, w, _values(filters), activation="relu")
                call(f"{name}_backward{label}", getattr(ops, name + "_backward"), y, x, w, y, activation="relu")
                if axes == 2:
                    call(f"{name} exact{label}", function, x, w, exact=True)
                    y = function(x, w, exact=True)
                    call(f"{name}_backward exact{label}", getattr(ops, name + "_backward"), y, x, w, y, exact=True)
    x, w = _values(2, 24, 22, 16), _values(3, 3, 4, 20)
    y = ops.convnd(x, w, groups=4, stride=2)
    call("convnd", ops.convnd, x, w, groups=4, stride=2)
    call("convnd_backward", ops.convnd_backward, y, x, w, y, groups=4, stride=2)
    x, w = _values(2, 24, 22, 16), _values(3, 3, 1, 16)
    y = ops.conv2d(x, w, groups=16)
    call("conv2d depthwise", ops.conv2d, x, w, groups=16)
    call("conv2d_backward depthwise", ops.conv2d_backward, y, x, w, y, groups=16)
    for kind in ("avg", "max"):
        name = f"global_{kind}_pool"
        call(name, getattr(ops, name), x)
        given = x if kind == "max" else x.shape
        call(name + "_backward", getattr(ops, name + "_backward"), getattr(ops, name)(x), given)
    call("upsample", ops.upsample, x)
    call("upsample_backward", ops.upsample_backward, ops.upsample(x))


def _dense_cases() -> None:
    a, b, dy = _values(150, 310), _values(310, 170), _values(150, 170)
    call("matmul", ops.matmul, a, b)
    call("matmul long", ops.matmul, _values(20, 9000), _values(9000, 30))
    call("matmul transposed", ops.matmul, a, np.ascontiguousarray(b.T), transpose_b=True)
    call("matmul turned", ops.matmul, _values(310, 400), _values(310, 9), transpose_a=True)
    call("matmul stack", ops.matmul, _values(5, 40, 30), _values(5, 30, 40))
    call("matmul_backward", ops.matmul_backward, dy, a, b)
    bias, x = _values(170), _sparse(150, 310)
    for label, rows in (("", a), (" sparse", x)):
        y = ops.linear(rows, b, bias, activation="relu")
        call("linear" + label, ops.linear, rows, b, bias, activation="relu")
        call("linear_backward" + label, ops.linear_backward, dy, rows, b, y, activation="relu")
    call("linear tanh", ops.linear, a, b, bias, activation="tanh")
    call("linear packed", ops.linear, _bits(150), _values(256, 40))
    call("linear_backward_bias", ops.linear_backward_bias, dy, ops.linear(a, b), activation="relu")
    call("linear_backward_input", ops.linear_backward_input, dy, b)
    call("as_sparse", lambda: ops.as_sparse(x).to_dense())
    call("SparseBatch", lambda: ops.as_sparse(x).take(np.arange(0, 150, 2)).to_dense())
    call("LinearGradient", lambda: ops.LinearGradient(ops.as_sparse(x), dy).array())


def _step_cases() -> None:
    state = {"sgd": 0, "momentum": 1, "adagrad": 1, "rmsprop": 1, "adam": 2, "lion": 1}
    batches = {"": (150, False), " sparse": (150, True), " long": (4200, False), " long sparse": (4200, True)}
    for name, buffers in state.items():
        function = getattr(ops, name + "_step")
        options = {"lr": 0.01, "step": 3} if name == "adam" else {"lr": 0.01}
        for label, (rows, sparse) in batches.items():
            if label.startswith(" long") and name != "adam":
                continue
            x = _sparse(rows, 310) if sparse else _values(rows, 310)
            dz = _values(rows, 170)

            def make(x: Any = x, dz: Any = dz, sparse: bool = sparse, buffers: int = buffers,
                     function: Any = function, options: Any = options) -> Any:  # fmt: skip
                param, kept = _values(310, 170), [np.ones((310, 170), np.float32) for _ in range(buffers)]
                gradient = ops.LinearGradient(ops.as_sparse(x) if sparse else x, dz)

                def step() -> Any:
                    function(param, gradient, *kept, **options)
                    return param, *kept

                step.arrays = [param, *kept]
                return step

            case(f"{name}_step{label}", make, in_place=True)

    def make_lamb() -> Any:
        kept = [_values(310, 170).reshape(-1), *(np.ones(310 * 170, np.float32) for _ in range(2))]
        gradient = _values(310, 170).reshape(-1)

        def step() -> Any:
            ops.lamb_step(kept[0], gradient, *kept[1:], lr=0.01, l1=0.01, step=3)
            return tuple(kept)

        step.arrays = kept
        return step

    case("lamb_step", make_lamb, in_place=True)


def _other_cases() -> None:
    x, y = _values(80, 300), np.abs(_values(80, 300)) + 0.1
    for name in ("exp", "log", *NAMES):
        call(name, getattr(ops, name), y)
    call("activation", ops.activation, x, "tanh")
    call("activation_backward", ops.activation_backward, x, y, "tanh")
    call("dropout", ops.dropout, x, 0.3, seed=1)
    call("dropout_backward", ops.dropout_backward, x, 0.3, seed=1)
    call("softmax", ops.softmax, x)
    call("log_softmax", ops.log_softmax, x)
    call("softmax_backward", ops.softmax_backward, x, ops.softmax(y))
    call("log_softmax_backward", ops.log_softmax_backward, x, ops.log_softmax(y))
    labels, weights, one = np.arange(80) % 300, np.ones(80, np.float32), np.ones(80, np.float32)
    call("softmax_cross_entropy", ops.softmax_cross_entropy, x, labels, weights)
    call("softmax_cross_entropy_backward", ops.softmax_cross_entropy_backward, one, x, labels, weights)
    for name in ("sigmoid_cross_entropy", "squared_error"):
        call(name, getattr(ops, name), x, (y > 1).astype(np.float32))
        call(name + "_backward", getattr(ops, name + "_backward"), np.ones_like(x), x, (y > 1).astype(np.float32))
    channels = [np.abs(_values(300)) + 0.1 for _ in range(4)]
    call("batch_norm", ops.batch_norm, x, *channels[:2])
    call("batch_norm_backward", ops.batch_norm_backward, y, x, *channels)
    call("rms_norm", ops.rms_norm, x, channels[0])
    call("rms_norm_backward", ops.rms_norm_backward, y, x, channels[0])
    call("layer_norm", ops.layer_norm, x, *channels[:2])
    call("layer_norm_backward", ops.layer_norm_backward, y, x, channels[0])
    q, k, v, dy = (_values(2, 3, steps, 20) for steps in (70, 600, 600, 70))
    y, statistics = ops.attention_forward(q, k, v)
    for name in ("attention", "attention_forward"):
        call(name, getattr(ops, name), q, k, v, lengths=[600, 13])
    call("attention_backward", ops.attention_backward, dy, q, k, v, y, statistics)
    ids = np.arange(200) % 17
    call("embedding", ops.embedding, ids, _values(17, 40))
    call("embedding_backward", ops.embedding_backward, _values(200, 40), ids, 17)
    _graph_cases()
    call("empty", lambda: np.zeros(3) + ops.empty((3, 5)).shape[0])
    call("one_hot_dna", ops.one_hot_dna, ["ACGT" * 20, "TTAC"], length=80)
    call("one_hot_dna long", ops.one_hot_dna, ["ACGT" * 20_000])
    images = np.random.default_rng(0).integers(0, 256, (6, 20, 18, 3), dtype=np.uint8)
    call("augment_images", ops.augment_images, images, seed=1, rotation=0.3, noise=0.1, masks=images[..., :1])


def _numbers_of(batch: Any) -> tuple[Any, ...]:
    levels = (batch.molecules, batch.atoms, *batch.bonds)
    return tuple((level.index, level.offsets, level.transposed, level.kind, level.kinds) for level in levels)


def _graph_cases() -> None:
    offsets = np.arange(0, 121, 3)
    index, x, dy = np.arange(120, dtype=np.int32) * 7 % 50, _values(50, 200), _values(40, 200)
    for how in ("sum", "max"):
        call(f"gather_{how}", getattr(ops, f"gather_{how}"), x, index, offsets)
    call("gather_sum_backward", ops.gather_sum_backward, dy, index, offsets, 50)
    call("gather_max_backward", ops.gather_max_backward, dy, x, index, offsets)
    call("gather_rows", ops.gather_rows, x, index)
    call("gather_rows_backward", ops.gather_rows_backward, _values(120, 200), index, 50)
    call("transpose_index", ops.transpose_index, index, offsets, 50)
    w, groups = _values(3, 200, 90), [0, 20, 20, 50]
    call("grouped_linear", ops.grouped_linear, x, w, groups, _values(3, 90), activation="relu")
    y = ops.grouped_linear(x, w, groups)
    call("grouped_linear_backward", ops.grouped_linear_backward, y, x, w, y, groups, activation="relu")
    w, kind = _values(200, 90), np.arange(40) % 7
    call("message_update", ops.message_update, x, w, index, offsets, z=_values(7, 90), kind=kind, b=_values(90))
    call("message_update_forward", ops.message_update_forward, x, w, index, offsets)
    y, m = ops.message_update_forward(x, w, index, offsets, z=_values(7, 90), kind=kind)
    backward = ops.message_update_backward
    call("message_update_backward", backward, y, y, m, w, index, offsets, 50, kind=kind, kinds=7)
    graphs = packed([ODD[name] for name in ODD], 2, 1)
    for name in ("Environments", "EnvironmentBatch", "RowLists"):
        call(name, lambda: _numbers_of(ops.environments(graphs, 3).batch([3, 4, 5, 5])))
    call("environments", lambda: ops.environments(graphs, 3).atom_classes)
    call("environments plain", lambda: ops.environments(graphs, 3, distinct=False).atom_order)
    for along in ("atoms", "atoms and bonds"):
        call(f"environments along {along}", lambda along=along: ops.environments(graphs, 3, along=along).atom_order)
    found = ops.environments(graphs, 3)
    call("Environments.batch", lambda: _numbers_of(found.batch()))
    wide = _values(120, 200)
    for how in ("sum", "mean", "max", "softmax"):
        call(f"segment_{how}", getattr(ops, f"segment_{how}"), wide, offsets)
    for how in ("sum", "mean"):
        call(f"segment_{how}_backward", getattr(ops, f"segment_{how}_backward"), dy, offsets, 120)
    call("segment_max_backward", ops.segment_max_backward, dy, wide, offsets)
    call("segment_softmax_backward", ops.segment_softmax_backward, wide, wide, offsets)


def _linalg_cases() -> None:
    half = np.random.default_rng(0).standard_normal((200, 200))
    square = half @ half.T + np.eye(200)
    call("cholesky", ops.cholesky, square)
    call("solve_triangular", ops.solve_triangular, np.tril(square), half)


def _molecule_cases() -> None:
    smiles = ["CCO", "c1ccccc1", "CC(=O)Nc1ccc(O)cc1"] * 60 + ["C" * 400, "C1CC1" * 70]
    for output in ("packed", "dense", "csr", "counts"):
        call("ecfp" if output == "packed" else f"ecfp {output}", ops.ecfp, smiles, output=output)
    call("ecfp of a wide radius", ops.ecfp, smiles[-5:], radius=9)
    call("ecfp of features", ops.ecfp, smiles[-5:], features=True)
    for name in ("atom_pairs", "topological_torsions", "rdkit_fingerprint"):
        for output in ("packed", "counts"):
            call(f"{name} {output}", getattr(ops, name), smiles[:190], output=output)
    call("maccs", ops.maccs, smiles[:190])
    call("descriptors", ops.descriptors, smiles[:180], names=list(ct._core.DESCRIPTORS))
    call("MolGraphs", lambda: ops.mol_graphs(smiles[:9])[[7, 2]])
    for features in ("dmpnn", "molgraph"):
        call(f"mol_graphs {features}", ops.mol_graphs, [*smiles[-4:], "C" * 200 + "C/C=C/C[C@H](N)O"], features)
    status = np.zeros(len(smiles), np.uint8)
    call("scaffold_keys", lambda: [key for key in _core.scaffold_keys(smiles, status, 3) if key is not None])
    for what in ("match", "count", "atoms"):
        call(f"substructure {what}", ops.substructure, smiles[:200], ["[$(CC)]=O", "c1ccccc1", "[OH]"], what=what)
    fingerprints, queries = _bits(3000), _bits(40)
    call("tanimoto", ops.tanimoto, queries, fingerprints)
    counts = ops.ecfp(smiles[:300], output="counts")
    call("tanimoto_counts", ops.tanimoto_counts, counts, counts)
    call("tanimoto_counts of floats", ops.tanimoto_counts, counts[:70] * 0.5, counts)
    call("tanimoto_topk", ops.tanimoto_topk, queries, fingerprints, 5)
    call("FingerprintIndex", lambda: ct.FingerprintIndex(fingerprints).topk(queries, 5))
    index = ct.FingerprintIndex(fingerprints)
    call("FingerprintIndex.topk of one", lambda: index.topk(queries[:1], 5))
    call("cluster.butina", lambda: ct.cluster.butina(fingerprints[:500], 0.6))


for _add in (_rnn_cases, _window_cases, _dense_cases, _step_cases, _other_cases, _linalg_cases, _molecule_cases):
    _add()
call("RnnSaved", lambda: ops.gru_forward(*_gru())[2].states)


def _gru() -> tuple[np.ndarray, ...]:
    return _values(3, 5, 4), _values(4, 24), _values(8, 24), _values(2, 24)


def _flat(result: Any) -> list[bytes]:
    """The bits of all arrays of a result."""
    if hasattr(result, "states"):  # what a recurrent layer keeps; its rows beyond the last state are never written
        return []
    if isinstance(result, ops.MolGraphs):
        arrays = ("atom_offsets", "bond_offsets", "atom_codes", "atom_floats", "bond_codes", "source", "target")
        result = [getattr(result, name) for name in arrays]
    if isinstance(result, (tuple, list)):
        return [piece for part in result for piece in _flat(part)]
    return [] if result is None else [np.asarray(result).tobytes()]


def test_every_function_has_a_case():
    missing = set(ops.__all__) - {name.split(" ")[0] for name in CASES}
    assert not missing, f"add a call of {sorted(missing)} to CASES"


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def threads(request):
    before = ct.get_num_threads()
    ct.set_num_threads(request.param)
    yield request.param
    _core.fail_allocation(0)
    ct.set_num_threads(before)


@pytest.mark.parametrize("name", CASES)
def test_memory_error_at_every_allocation(name, threads):
    make = CASES[name]
    expected = _flat(make()())
    for n in range(1, _MOST_ALLOCATIONS):
        run = make()
        before = [array.copy() for array in getattr(run, "arrays", [])]
        _core.fail_allocation(n)
        try:
            result = run()
        except MemoryError as error:
            assert _core.fail_allocation(0) == 0
            assert ": " in str(error), f"{name}: {error}"
            for array, old in zip(getattr(run, "arrays", []), before, strict=True):
                assert np.array_equal(array, old), f"{name}: half a step after allocation {n} failed"
            assert _flat(make()()) == expected, f"{name}: wrong after allocation {n} failed, {threads} threads"
            continue
        failed = _core.fail_allocation(0) == 0
        assert _flat(result) == expected, f"{name}: wrong bits, allocation {n} of {threads} threads"
        assert not failed or name in IN_PLACE, f"{name}: allocation {n} failed and nothing was said"
        if not failed:
            return
    pytest.fail(f"{name}: {_MOST_ALLOCATIONS} allocations")


def test_the_error_names_the_function_and_the_bytes():
    a = np.ones((500, 500), np.float32)
    _core.fail_allocation(1)
    with pytest.raises(
        MemoryError, match=r"^matmul: 1,000,000 bytes of memory could not be had; give it less at a time"
    ):
        ops.matmul(a, a)
    with pytest.raises(MemoryError, match=r"^empty: this takes more memory than any machine has"):
        ops.empty((2**62, 2**20))
    index = ct.FingerprintIndex(_bits(300))
    _core.fail_allocation(1)
    with pytest.raises(MemoryError, match=r"^FingerprintIndex\.topk: "):
        index.topk(_bits(2), 3)


def test_denormals_are_kept_after_a_failure():
    tiny = np.float32(1e-40)
    for n in (1, 2, 3):
        _core.fail_allocation(n)
        with pytest.raises(MemoryError):
            ops.matmul(_values(200, 200), _values(200, 200))
        assert tiny * np.float32(1) != 0, "flush-to-zero stayed on"


def test_other_threads_work_on_while_one_has_no_memory():
    import threading

    a = _values(200, 200)
    expected, wrong = ops.matmul(a, a), []

    def work() -> None:
        for _ in range(200):
            try:
                if not np.array_equal(ops.matmul(a, a), expected):
                    wrong.append("bits")
            except MemoryError:
                pass
            except BaseException as error:
                wrong.append(repr(error))

    before = ct.get_num_threads()
    ct.set_num_threads(3)
    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for n in range(300):
        _core.fail_allocation(1 + n % 7)
    for worker in workers:
        worker.join(60)
    _core.fail_allocation(0)
    ct.set_num_threads(before)
    assert not wrong and not any(worker.is_alive() for worker in workers)


_LIMITED = """
import resource, sys
import numpy as np
import catalase as ct

def used():
    return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()

ct.set_num_threads(8)
rng = np.random.default_rng(0)
x, w = rng.standard_normal((700, 700), dtype="f4"), rng.standard_normal((700, 700), dtype="f4")
expected = np.einsum("k,kj->j", x[0], w)
# room for the output, the work space of all threads (6 MB), and the stack of one thread (8 MB) but not of two
resource.setrlimit(resource.RLIMIT_AS, (used() + (15 << 20),) * 2)
y = ct.ops.matmul(x, w)
assert np.allclose(y[0], expected, atol=1e-3)
print("right")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_threads_that_cannot_be_made_are_done_without():
    run = subprocess.run([sys.executable, "-c", _LIMITED], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0 and run.stdout.strip() == "right", run.stderr


_ULIMIT = """
import resource, sys
import numpy as np
import catalase as ct

def used():
    return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()

from catalase import cluster, fingerprint_index, ops

ct.set_num_threads(8)
rng = np.random.default_rng(0)
x, w = np.ones((8, 60, 60, 16), "f4"), np.ones((5, 5, 16, 32), "f4")
bits = rng.integers(0, 256, (20000, 128), dtype="u1")
calls = {
    "conv2d": lambda: ct.ops.conv2d(x, w),
    "exact conv2d": lambda: ct.ops.conv2d(x, w, exact=True),
    "lstm": lambda: ct.ops.lstm(x[0], np.ones((16, 512), "f4"), np.ones((128, 512), "f4"), np.ones(512, "f4")),
    "ecfp": lambda: ct.ops.ecfp(["C" * 100000] * 8),
    "topk": lambda: ct.FingerprintIndex(bits).topk(bits[:4000], 50),
    "butina": lambda: ct.cluster.butina(bits[:3000], 0.9),
}
for call in list(calls.values())[3:]:  # what they import
    call()
soft = used()
for extra in range(0, 100, 9):
    resource.setrlimit(resource.RLIMIT_AS, (soft + (extra << 20), resource.RLIM_INFINITY))
    for name, call in calls.items():
        try:
            call()
        except MemoryError:
            pass
        ct._core.release_cached_memory()
print("alive")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_a_process_at_its_limit_of_memory_stays_alive():
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", _ULIMIT], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0 and run.stdout.strip() == "alive", run.stderr[-2000:]
