"""Molecular graphs from SMILES, beside the featurizers of chemprop and DeepChem, which also read the molecules with RDKit."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..case import Case, Prepared
from .fingerprint import smiles_of, zinc_file

FAMILY = "mol-graphs"


def cases(quick: bool) -> list[Case]:
    n = 24 if quick else 2000
    source = " of ZINC" if zinc_file() else ""
    return [
        Case(f"{features}, {n:,}{source}", float(n), "molecules/s", {"features": features, "n": n}, tolerance=0.0)
        for features in ("dmpnn", "convmol", "molgraph")
    ]


def catalase(case: Case) -> Prepared:
    from ... import ops

    smiles, features = smiles_of(case), case.options["features"]

    def result() -> list[Any]:
        graphs = ops.mol_graphs(smiles, features)
        atoms = [graphs.atom_features(i) for i in range(len(graphs))]
        if features == "convmol":  # its ConvMol sorts atoms by their number of neighbours
            degrees = [np.bincount(graphs.edge_index(i)[0], minlength=len(atoms[i])) for i in range(len(graphs))]
            return [np.concatenate([x[np.argsort(d, kind="stable")] for x, d in zip(atoms, degrees, strict=True)])]
        bonds = [graphs.bond_features(i) for i in range(len(graphs))]
        return [np.concatenate(atoms), np.concatenate(bonds)]

    return Prepared(lambda: ops.mol_graphs(smiles, features), result)


def chemprop(case: Case) -> Prepared | None:
    from rdkit import Chem

    featurizers: Any = importlib.import_module("chemprop.featurizers")
    if case.options["features"] != "dmpnn":
        return None
    smiles, featurizer = smiles_of(case), featurizers.SimpleMoleculeMolGraphFeaturizer()

    def call() -> list[Any]:
        return [featurizer(Chem.MolFromSmiles(text)) for text in smiles]

    return Prepared(call, lambda: [np.concatenate([getattr(graph, part) for graph in call()]) for part in ("V", "E")])


def deepchem(case: Case) -> Prepared | None:
    dc: Any = importlib.import_module("deepchem")

    smiles, features = smiles_of(case), case.options["features"]
    if features == "dmpnn":
        return None
    made = dc.feat.ConvMolFeaturizer() if features == "convmol" else dc.feat.MolGraphConvFeaturizer(use_edges=True)
    made.use_original_atoms_order = True  # which leaves out the ranking of the atoms

    def call() -> Any:
        return made.featurize(smiles)

    parts: tuple[Callable[[Any], Any], ...] = (
        (lambda graph: graph.get_atom_features(),)
        if features == "convmol"
        else (lambda graph: graph.node_features, lambda graph: graph.edge_features)
    )
    return Prepared(call, lambda: [np.concatenate([part(graph) for graph in call()]) for part in parts])


LIBRARIES = {"catalase": catalase, "chemprop": chemprop, "deepchem": deepchem}
