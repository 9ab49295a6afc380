"""Tests of the steps on hits: similarity, properties, alerts, a diverse pick, and a picture."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest
from rdkit.Chem import Descriptors

import catalase as ct
from catalase.chem.reading import partial_molecule
from catalase.commands import main
from catalase.screening import Hits, screen
from catalase.screening.hit_steps import net_charge

from .helpers import library, pairs, read, write_smi

ALERTED = ["O=C1C=CC(=O)C=C1", "CC(=O)Cl", "CCO", "CCCCCCO", "CCCCCCCO", "c1ccncc1C", "CCCCCCCCO", "C1CCNCC1"]


def test_steps_on_the_hits_against_rdkit(model, tmp_path):
    from rdkit import Chem, DataStructs
    from rdkit.Chem import Crippen, rdFingerprintGenerator
    from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

    actives = tmp_path / "actives.smi"
    actives.write_text("CCCCO butanol\nC1CC\nc1ccncc1\n")
    hits = screen(model, ALERTED, 8, similar_to=actives, filters="pains, brenk", properties=True)
    plain = screen(model, ALERTED, 8)
    assert pairs(hits) == pairs(plain) and hits.smiles == plain.smiles
    assert hits.report.notes == ["1 of 3 actives of similar_to could not be read"]
    molecules = [Chem.MolFromSmiles(s) for s in hits.smiles]
    bits = rdFingerprintGenerator.GetMorganGenerator(radius=1, fpSize=256).GetFingerprint
    known = [bits(Chem.MolFromSmiles(s)) for s in ("CCCCO", "c1ccncc1")]
    similarities = [DataStructs.BulkTanimotoSimilarity(bits(m), known) for m in molecules]
    assert np.allclose([float(v) for v in hits.columns["similarity"]], np.max(similarities, axis=1), atol=1e-6)
    assert hits.columns["nearest_active"] == [["butanol", "c1ccncc1"][int(np.argmax(s))] for s in similarities]
    assert hits.columns["molecular_weight"] == [f"{Descriptors.MolWt(m):.3f}" for m in molecules]
    assert hits.columns["logp"] == [f"{Crippen.MolLogP(m):.4f}" for m in molecules]
    assert hits.columns["tpsa"] == [f"{Descriptors.TPSA(m):.2f}" for m in molecules]
    assert hits.columns["charge"] == [str(Chem.GetFormalCharge(m)) for m in molecules]
    kinds = FilterCatalogParams.FilterCatalogs
    catalogs = [FilterCatalog(FilterCatalogParams(kind)) for kind in (kinds.PAINS, kinds.BRENK)]
    flagged = [any(c.HasMatch(m) for c in catalogs) for m in molecules]
    assert [bool(a) for a in hits.columns["alerts"]] == flagged and any(flagged) and not all(flagged)
    assert "brenk: " in "".join(hits.columns["alerts"])
    left = screen(model, ALERTED, 8, filters=["pains", "brenk"], drop_filtered=True)
    assert left.smiles == [s for s, bad in zip(hits.smiles, flagged, strict=True) if not bad]
    assert left.report.notes == [f"{sum(flagged)} of 8 hits dropped for structural alerts"]


CHARGED = [
    "C[N+](C)(C)C", "CC(=O)[O-]", "[NH3+]CC([O-])=O", "[Fe+3]", "[Ca++]", "[O--]", "[13CH3-:7]", "[Na+].[Cl-]", "CN(=O)=O", "[Cl-:3]",
    "C[C@@H]([NH3+:12])C(=O)[O-] |&1:1|", "[O-]Cl(=O)(=O)=O", "[C@H](F)(Cl)Br", "[2H]C", "[Ti+4]", "[N-]=[N+]=NC", "[cH-]1cccc1", "C[n+]1ccccc1",
]  # fmt: skip


def test_charges_are_rdkits():
    from rdkit import Chem

    for smiles in CHARGED:
        assert net_charge(smiles) == Chem.GetFormalCharge(ct.chem.read([smiles])[0]), smiles


def test_the_charges_of_a_data_set_are_rdkits(data_dir):
    from rdkit import Chem

    path = data_dir / "tox21.csv.gz"
    if not path.is_file():
        pytest.skip("needs CATALASE_DATA_DIR")
    with gzip.open(path, "rt") as file:
        smiles = [row["smiles"] for row in csv.DictReader(file)][::4]
    molecules = ct.chem.read(smiles, errors="mask")
    there = [(text, molecule) for text, molecule in zip(smiles, molecules, strict=True) if molecule is not None]
    charges = [net_charge(text) for text, _ in there]
    assert charges == [Chem.GetFormalCharge(molecule) for _, molecule in there] and len(set(charges)) > 3


def test_hits_that_rdkit_reads_only_in_part_are_described_too(model):
    loaded = ct.models.load(model)
    loaded.featurizer = ct.feat.CircularFingerprint(radius=1, size=256, partial=True)
    smiles = ["CC[N](C)(C)(C)C", "CC(=O)Cl", "CCN(C)(C)(C)C"]
    hits = screen(loaded, smiles, 3, filters="brenk", properties=True)
    by_row = dict(zip(hits.rows.tolist(), range(3), strict=True))
    expected = [partial_molecule(smiles[row]) or ct.chem.read([smiles[row]])[0] for row in hits.rows]
    assert len(hits) == 3 and hits.columns["molecular_weight"] == [f"{Descriptors.MolWt(m):.3f}" for m in expected]
    assert hits.columns["tpsa"] == [f"{Descriptors.TPSA(m):.2f}" for m in expected]
    assert hits.columns["alerts"][by_row[1]] and set(hits.columns["charge"]) == {"0"}


def test_a_diverse_pick_takes_the_best_of_each_cluster(model):
    smiles = library(400)
    hits = screen(model, smiles, 60)
    clusters = ct.cluster.butina(ct.ops.ecfp(hits.smiles, radius=1, size=256), 0.3)
    best = sorted(int(members.min()) for members in clusters)
    assert 3 < len(best) < 60
    picked = screen(model, smiles, 60, diverse=3, cutoff=0.3)
    assert picked.rows.tolist() == hits.rows[best[:3]].tolist() and picked.columns["cluster"] == ["1", "2", "3"]
    every = screen(model, smiles, 60, diverse=len(best), cutoff=0.3)
    assert every.rows.tolist() == hits.rows[best].tolist()
    more = screen(model, smiles, 60, diverse=len(best) + 2, cutoff=0.3)
    assert set(every.rows) < set(more.rows) and len(more) == len(best) + 2
    assert screen(model, smiles, 60, diverse=1000).rows.tolist() == hits.rows.tolist()


def test_steps_come_after_the_merge_and_survive_a_resume(model, tmp_path, capsys):
    path, out = write_smi(tmp_path / "l.smi", library(300)), tmp_path / "h.csv"
    steps = ["--filters", "brenk", "--drop-filtered", "--properties", "--diverse", "5"]
    assert main(["screen", str(model), str(path), "--top", "30", "-o", str(out), *steps]) == 0
    text = capsys.readouterr().out
    assert "hits dropped for structural alerts" in text and "5 of " in text
    assert (
        list(read(out)[0])[5:] == ["molecular_weight", "logp", "tpsa", "charge", "alerts", "cluster"]
        and len(read(out)) == 5
    )
    shards = [str(tmp_path / f"s{i}.csv") for i in (1, 2)]
    assert main(["screen", str(model), str(path), "-o", shards[0], "--shard", "1/2", *steps]) == 1
    assert "screen-merge" in capsys.readouterr().err
    for i, shard in enumerate(shards, 1):
        main(["screen", str(model), str(path), "--top", "30", "-o", shard, "--shard", f"{i}/2"])
    capsys.readouterr()
    assert main(["screen-merge", *shards, "-o", str(tmp_path / "m.csv"), *steps, "--strict"]) == 3
    assert (tmp_path / "m.csv").read_bytes() == out.read_bytes()
    assert "hits dropped for structural alerts" in capsys.readouterr().out
    options = {"filters": "brenk", "drop_filtered": True, "properties": True, "diverse": 5}
    for finished in (out, tmp_path / "m.csv"):
        again = screen(model, path, 30, out=finished, resume=True, **options)
        assert len(again) == 5 and list(again.columns) == [
            "molecular_weight",
            "logp",
            "tpsa",
            "charge",
            "alerts",
            "cluster",
        ]
        assert len(again.report.notes) == 2
    with pytest.raises(ValueError, match="another steps on the hits"):
        screen(model, path, 30, out=out, resume=True)


def test_mistaken_steps_are_found_before_the_library_is_read(model):
    def never():
        raise AssertionError("the library was read")
        yield ""

    for options, words in [
        ({"filters": "pain"}, "no filter 'pain'; choose from pains"),
        ({"drop_filtered": True}, "needs filters"),
        ({"diverse": 0}, "diverse must be"),
        ({"cutoff": 2}, "cutoff must be from 0 to 1"),
        ({"similar_to": ["C1CC"]}, "none of the 1 actives"),
    ]:
        with pytest.raises(ValueError, match=words):
            screen(model, never(), **options)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        screen(model, never(), similar_to="none.smi")


def test_a_picture_of_the_hits(model, tmp_path):
    path, png = write_smi(tmp_path / "l.smi", library(30)), tmp_path / "h.png"
    assert main(["screen", str(model), str(path), "-o", str(tmp_path / "h.csv"), "--picture", str(png)]) == 0
    assert png.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match="no hits to draw"):
        Hits([]).to_png(png)


def test_a_picture_has_rank_name_and_score_below_each_hit(model, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("catalase.chem.drawing.molecule_grid", lambda path, molecules, legends: drawn.extend(legends))
    hits = screen(model, write_smi(tmp_path / "l.smi", library(30)), 3)
    hits.to_png(tmp_path / "h.png")
    assert drawn == [f"{i + 1}  {hits.ids[i]}  {hits.scores[i]:.4g}" for i in range(3)] and all(hits.ids)
