"""What each atom of a molecule contributes to a prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice, flag
from .._internal.report import Failure, Report
from ..chem.origins import Origins, morgan_origins
from ..chem.reading import item_text, molecule_list, read_molecule, refusal
from ..feat import CircularFingerprint, Combined
from ..models import RidgeRegression, TanimotoGP
from ..models.auto import AutoModel
from ..models.auto.blocks import SIZE, Blocks, MoleculeBlocks
from ..models.auto.members import KINDS
from ..ops.ecfp import Settings, rdkit_generator
from ..trans import undo_transforms
from .graphs import Explained, by_gradients, by_masking, less, masked_graphs
from .target import Target, slopes

METHODS = ("masking", "gradient", "exact")
_CHUNK = 256  # molecules whose masked forms are predicted together

_FLOATS = NDArray[np.float64]


def atoms(
    model: Any,
    smiles: Sequence[Any],
    method: str | None = None,
    task: int = 0,
    *,
    label: int | None = None,
    errors: str = "raise",
    return_base: bool = False,
) -> Any:
    """Return what each atom contributes to the predictions of molecules.

    Parameters
    ----------
    model : Model
        One that names its featurizer: `catalase.feat.CircularFingerprint` (alone, or within `catalase.feat.Combined`), or
        one of molecular graphs; or an `AutoModel`.
    smiles : sequence of str or rdkit.Chem.Mol
    method : {"masking", "gradient", "exact"}, optional
        "masking": the prediction less that without the atom. Of a fingerprint the bits of all environments that contain the
        atom are cleared (of counts, these environments are not counted); of a graph the atom keeps its bonds, but has no
        features. For every model; the contributions do not sum to anything.
        "gradient": the gradient of each bit, times the bit; each environment's part is divided evenly among its atoms. Of a
        graph, the gradient of each feature of the atom, times the feature, summed over its features (in a D-MPNN those at
        the beginning of its bonds too). For nets. The contributions sum to the linear part of the prediction.
        "exact": a decomposition of the prediction into the bits, divided evenly likewise. For `RidgeRegression` (coefficient
        times feature) and `TanimotoGP` (each training molecule's similarity, divided among the features in common). The
        contributions sum to the prediction less its base within 1e-5; of a `TanimotoGP` with descriptors
        that is the mean of ``predict_uncertainty``, since ``predict`` has covariances of float32.
        By default "masking".
    task : int
        The number of the task.
    label : int, optional
        Of classifiers the class; the last where left out.
    errors : {"raise", "mask"}
        Treatment of a molecule that cannot be read: raise an error, or give None in its place; the reasons are in
        ``model.featurizer.report``.
    return_base : bool
        Also return, for each molecule, the prediction less the sum of its contributions: NaN for one that cannot be read.

    Returns
    -------
    list of ndarray of float64, or (list, ndarray of float64)
        A value for each atom, in the order of the SMILES as it is written.

    Raises
    ------
    TypeError
        For what is no model, and models that the method is not for.
    ValueError
        For an unreadable molecule, a task or class that the model does not have, and featurizers whose features come from no
        atoms.

    Notes
    -----
    Contributions are in the units of the measurement. Those of nets that classify are to the log-odds of the class, since
    probabilities near 0 and 1 hardly change; those of other classifiers are to the probability, with "exact" of a
    `TanimotoGP` to the log-odds before they are normalized. Where transformers are undone that are not linear, "exact"
    contributions are scaled so that they sum to the prediction less the base. Descriptors stay as they are, and are part of
    the base. An `AutoModel` is explained by the mean of its members, before it is corrected and clipped. Deterministic;
    hydrogens without an atom of their own count with their neighbour.

    References
    ----------
    Riniker and Landrum, J. Cheminform. 5, 43 (2013), doi:10.1186/1758-2946-5-43 (masking of fingerprints).

    Examples
    --------
    >>> import catalase as ct
    >>> smiles = ["CCO", "CCN", "CCCO", "CCCN"]
    >>> featurizer = ct.feat.CircularFingerprint(size=512)
    >>> data = ct.data.NumpyDataset(featurizer(smiles), [[1.0], [0.0], [1.0], [0.0]], featurizer=featurizer)
    >>> model = ct.models.RidgeRegression(1, 512)
    >>> _ = model.fit(data)
    >>> (parts,) = ct.explain.atoms(model, ["CCCCO"])
    >>> int(parts.argmax())
    4
    """
    where = "atoms"
    target = Target(where, model, task, label)
    chosen = choice(where, "method", "masking" if method is None else method, METHODS)
    choice(where, "errors", errors, ("raise", "mask"))
    return_base = flag(where, "return_base", return_base)
    items = molecule_list(where, smiles)
    explain = _explainer(target, chosen)
    parts: list[Any] = [None] * len(items)
    base = np.full(len(items), np.nan)
    failures: list[Failure] = []
    for start in range(0, len(items), _CHUNK):
        places, molecules = [], []
        for i in range(start, min(start + _CHUNK, len(items))):
            molecule, reason = read_molecule(items[i])
            if reason:
                failures.append(Failure(i, item_text(items[i]), reason))
                if errors == "raise":
                    raise refusal(where, items[i], failures[-1], len(items), "gives None in its place", drop=False)
                continue
            places.append(i)
            molecules.append(molecule)
        if places:
            found, scores = explain([items[i] for i in places], molecules)
            for i, values, score in zip(places, found, scores.tolist(), strict=True):
                parts[i], base[i] = values, score - values.sum()
    if model.featurizer is not None:
        model.featurizer.report = Report(len(items), len(items) - len(failures), failures)
    return (parts, base) if return_base else parts


_Explainer = Callable[[list[Any], list[Any]], Explained]


def _explainer(target: Target, method: str) -> _Explainer:
    """Return what explains some molecules, given as they are and as RDKit's."""
    where, model = target.where, target.model
    name = type(model).__name__
    featurizer = model.featurizer
    if featurizer is None:
        raise TypeError(
            f"{where}: model must name its featurizer, so that SMILES can be read; set model.featurizer to what made the "
            "features that it was trained on"
        )
    if featurizer.reads != "SMILES":
        raise TypeError(f"{where}: model must read SMILES, but its featurizer reads a {featurizer.reads}")
    if isinstance(model, AutoModel):
        model._ready(where)
        _refuse_other(where, name, method, ("masking",))
        return lambda given, molecules: _of_auto(target, given, molecules)
    if featurizer.makes_graphs:
        _refuse_other(where, name, method, ("masking", "gradient"))
        if method == "gradient":
            return lambda given, molecules: by_gradients(target, featurizer.featurize(given))
        return lambda given, molecules: by_masking(target.scores, featurizer.featurize(given))
    fingerprint, first = _fingerprint(where, featurizer)
    generator = _generator(fingerprint)

    def explain(given: list[Any], molecules: list[Any]) -> Explained:
        X = np.asarray(featurizer.featurize(given))
        origins = [o._replace(bits=o.bits + first) for o in morgan_origins(molecules, generator)]
        sizes = [molecule.GetNumAtoms() for molecule in molecules]
        if method == "masking":
            return _masked(target.scores, X, origins, sizes, fingerprint.is_counts_based)
        if method == "exact":
            of_bits, scores = _exact(target, X)
        else:
            of_bits, scores = target.gradients(X).astype(np.float64) * X, target.scores(X)
        return [_shared(row, o, n) for row, o, n in zip(of_bits, origins, sizes, strict=True)], scores

    if method == "exact" and not isinstance(model, (TanimotoGP, RidgeRegression)):
        raise TypeError(f'{where}: method="exact" is for RidgeRegression and TanimotoGP, not for {name}; use "masking"')
    if method == "gradient" and not target.members:
        target._check_gradients()
    return explain


def _refuse_other(where: str, name: str, method: str, known: tuple[str, ...]) -> None:
    if method not in known:
        raise TypeError(f"{where}: method must be {' or '.join(map(repr, known))} for {name}, got {method!r}")


def _fingerprint(where: str, featurizer: Any) -> tuple[CircularFingerprint, int]:
    """Return the circular fingerprint of a featurizer, and the number of its first column."""
    parts = featurizer.featurizers if isinstance(featurizer, Combined) else [featurizer]
    first = 0
    for part in parts:
        if isinstance(part, CircularFingerprint):
            return part, first
        first += np.asarray(part.featurize(["C"])).shape[1]
    raise ValueError(
        f"{where}: model has the featurizer {featurizer!r}, whose features come from no atoms; models on "
        "CircularFingerprint, or on graphs, are explained"
    )


def _generator(fingerprint: CircularFingerprint) -> Any:
    f = fingerprint
    return rdkit_generator(Settings(f.radius, f.size, "counts", f.chiral, f.features, f.bonds, 1))


def _shared(row: _FLOATS, origins: Origins, size: int) -> _FLOATS:
    """Divide what each bit contributes among the atoms that it comes from."""
    found = np.bincount(origins.atoms, row[origins.bits] * origins.shares, minlength=size)
    return found.astype(np.float64)


def _masked_rows(X: NDArray[Any], origins: list[Origins], sizes: list[int], counts: bool) -> NDArray[Any]:
    """Return a row for each atom of each molecule: its features without the environments that contain the atom."""
    rows = np.repeat(X, sizes, axis=0)
    starts = np.cumsum([0, *sizes[:-1]])
    at = np.concatenate([o.atoms + start for o, start in zip(origins, starts.tolist(), strict=True)])
    bits = np.concatenate([o.bits for o in origins])
    times = np.concatenate([o.times for o in origins]).astype(X.dtype)
    rows[at, bits] = rows[at, bits] - times if counts else 0
    return rows


def _masked(
    score: Callable[[Any], _FLOATS], X: NDArray[Any], origins: list[Origins], sizes: list[int], counts: bool
) -> Explained:
    scores = score(X)
    return less(scores, score(_masked_rows(X, origins, sizes, counts)), sizes), scores


def _of_auto(target: Target, given: list[Any], molecules: list[Any]) -> Explained:
    """Mask the fingerprints and the graphs of an `AutoModel`, for the mean of its members."""
    model = target.model
    known, _, _ = model._ready(target.where)
    blocks = MoleculeBlocks(graphs=any(KINDS[member.kind].graphs for member in model.learned)).featurize(given)
    sizes = [molecule.GetNumAtoms() for molecule in molecules]
    origins = morgan_origins(molecules, _generator(CircularFingerprint(size=SIZE, is_counts_based=True)))
    graphs = None if blocks.graphs is None else masked_graphs(blocks.graphs)
    counts = _masked_rows(blocks.counts, origins, sizes, True)
    masked = Blocks(counts, np.repeat(blocks.descriptors, sizes, axis=0), graphs)

    def score(of: Blocks) -> _FLOATS:
        return target._chosen(np.mean([member.predict(of, known) for member in model.learned], axis=0))

    scores = score(blocks)
    return less(scores, score(masked), sizes), scores


def _exact(target: Target, X: NDArray[Any]) -> tuple[_FLOATS, _FLOATS]:
    """Return what each feature contributes, (N, features), and the scores, in the units of the measurement."""
    model, task = target.model, target.task
    if isinstance(model, RidgeRegression):
        raw = np.asarray(model.predict(X, raw=True), np.float64)
        target._column(raw.shape)
        numbers = model._numbers(np.asarray(X))
        of_bits = numbers * model._arrays["coefficients"][:, task]
        raw[:, task] = of_bits.sum(axis=1) + model._arrays["offsets"][task]
    else:
        shape = (len(X), model.n_tasks, *([model.n_classes] if model.mode == "classification" else []))
        column, classes = target._column(shape)
        of_bits, raw = _of_process(model, X, task, max(0, column % classes - (model._outputs == 1)) if classes else 0)
        if classes:
            slope, offset = model._arrays["numbers"][task, max(0, column % classes - (model._outputs == 1)), 5:]
            sign = -1.0 if model._outputs == 1 and column % classes == 0 else 1.0
            return sign * slope * of_bits, sign * (slope * raw[:, task] + offset)
    change = of_bits.sum(axis=1)

    def undone(numbers: _FLOATS) -> _FLOATS:
        return np.asarray(undo_transforms(numbers, model.transformers))

    return of_bits * slopes(undone, raw, task, change)[:, None], target._chosen(undone(raw))


def _of_process(model: TanimotoGP, X: NDArray[Any], task: int, output: int) -> tuple[_FLOATS, _FLOATS]:
    """Return the parts of a process's mean that come from counts, and the means of all tasks, in float64.

    Of ``c * sum(min) / sum(max)``, a training molecule's part, each feature has ``c * min / sum(max)``.
    """
    arrays, chosen = model._arrays, model.hyperparameters[task]
    weights = chosen.share * arrays["coefficients"][:, task, output]
    counts = arrays["counts"].astype(np.float64)
    totals, x = counts.sum(axis=1), model._counts(np.asarray(X)).astype(np.float64)
    of_bits = np.zeros((len(x), X.shape[1]))
    for row, part in zip(x, of_bits, strict=True):
        columns = np.flatnonzero(row)
        shared = np.minimum(counts[:, columns], row[columns])
        most = row.sum() + totals - shared.sum(axis=1)
        part[columns] = (weights / np.maximum(most, 1)) @ shared
    scores = np.zeros((len(x), model.n_tasks))
    base, unit = model._base(), float(arrays["unit"][0])
    kernel = model._covariance("atoms", model._rows(np.asarray(X), arrays), base, chosen, unit)
    scores[:, task] = kernel @ arrays["coefficients"][:, task, output] + arrays["numbers"][task, output, 4]
    return of_bits, scores
