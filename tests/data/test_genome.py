"""Tests of FASTA, BED and one-hot intervals."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import catalase as ct
from catalase.data import Interval, genome, one_hot_intervals, read_bed, read_fasta, reverse_complement
from tests.reference.dna import one_hot

FASTA = ">one the first\nACGT\nNNac\n\n>two\tx\r\nGG TT\r\n>three\n>four\nA"


@pytest.mark.parametrize("block", [1, 2, 3, 7, 2**20])
@pytest.mark.parametrize("zipped", [False, True])
def test_fasta(tmp_path, monkeypatch, block, zipped):
    monkeypatch.setattr(genome, "_BLOCK", block)
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(FASTA.encode()) if zipped else FASTA.encode())
    records = list(read_fasta(path))
    assert [r.sequence for r in records] == ["ACGTNNac", "GGTT", "", "A"]
    assert records[0][:2] == ("one", "the first") and records[3].name == "four"
    path.write_bytes(FASTA[:-2].encode())
    assert [r.name for r in read_fasta(path)][-1] == "four"


@pytest.mark.parametrize(
    "content, words",
    [
        (b"ACGT\n>a\nC", "does not begin with '>'"),
        (b"", "holds no sequence"),
        (b"\n\n", "holds no sequence"),
        (b"> \nACG", "a header without a name"),
        (b">a\nAC\xd0\xa1", "byte 0xD0 at position 2"),
        (b";a comment\n>a\nACGT\n", "does not begin with '>'"),
        (gzip.compress(b">a\nACGT" * 99, mtime=0)[:-9], "damaged or cut short"),
    ],
)
def test_fasta_that_is_refused(tmp_path, content, words):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        list(read_fasta(tmp_path / "a"))


def test_a_comment_within_a_sequence_is_no_letters(tmp_path):
    (tmp_path / "a").write_text(">a\n;a comment\nACGT\n")
    (record,) = read_fasta(tmp_path / "a")
    with pytest.raises(ValueError, match=r"byte 0x3B \(';'\) at position 0"):
        ct.ops.one_hot_dna(record.sequence)


def test_files_that_are_not_there(tmp_path):
    for read in (read_fasta, read_bed):
        with pytest.raises(FileNotFoundError, match="there is no file"):
            read(tmp_path / "none")


def test_bed(tmp_path):
    path = tmp_path / "a.bed"
    path.write_text("track x\n# note\nchr1\t0\t3\nchr2 5 9 peak 7 -\n\nchr1\t4\t4\tname of it\t0\t+\n")
    expected = [Interval("chr1", 0, 3), Interval("chr2", 5, 9, "peak", "-"), Interval("chr1", 4, 4, "name of it", "+")]
    assert read_bed(path) == expected
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert read_bed(path) == expected


@pytest.mark.parametrize(
    "line, words",
    [
        ("chr1\t3", "line 2 .* has 2 columns"),
        ("chr1\t3\tx", "needs whole numbers as start and stop, got '3' and 'x'"),
        ("chr1\t3\t2", "needed 0 <= start <= stop"),
        ("chr1\t-1\t2", "needed 0 <= start"),
        ("chrom\tstart\tend", "line 2 .*whole numbers as start and stop, got 'start' and 'end'"),
    ],
)
def test_bed_that_is_refused(tmp_path, line, words):
    (tmp_path / "a.bed").write_text(f"chr1\t0\t1\n{line}\n")
    with pytest.raises(ValueError, match=words):
        read_bed(tmp_path / "a.bed")


def test_intervals_are_half_open_and_stranded(tmp_path):
    (tmp_path / "g.fa").write_text(">c1\nAACGTN\n>c2\nTTT\n")
    wanted = [("c1", 1, 4), Interval("c1", 1, 4, strand="-"), ("c2", 0, 3)]
    X = one_hot_intervals(tmp_path / "g.fa", wanted, dtype="int8")
    assert np.array_equal(X[0], one_hot("ACG")) and np.array_equal(X[2], one_hot("TTT"))
    assert np.array_equal(X[1], one_hot("CGT")) and reverse_complement("ACG") == "CGT"
    assert one_hot_intervals({"c": "AC"}, []).shape == (0, 0, 4)


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("start, stop", [(-3, 3), (2, 9), (-4, 12), (-9, -3), (7, 13), (0, 5)])
def test_intervals_beyond_the_chromosome(start, stop, strand):
    text = "ACGTA"
    X = one_hot_intervals({"c": text}, [("c", start, stop, "", strand)], outside="zeros", length=20)
    padded = "".join(text[i] if 0 <= i < 5 else "N" for i in range(start, stop))
    assert np.array_equal(X[0], one_hot(padded, 20, strand == "-"))


@pytest.mark.parametrize(
    "intervals, options, kind, words",
    [
        ([("c", 0, 6)], {}, ValueError, "interval 0 is 0 to 6 of 'c', which has 5 letters"),
        ([("c", 3, 2)], {"outside": "zeros"}, ValueError, "interval 0 is 3 to 2"),
        ([("d", 0, 1)], {}, KeyError, "on 'd'; the genome has 'c'"),
        ([("c", 0, 1), ("c", 0, 2)], {}, ValueError, "interval 1 has 2 letters where 1 were needed"),
        ([("c", 0, 3)], {"length": 2}, ValueError, "interval 0 has 3 letters where 2"),
        ([("c", 2, 5)], {}, ValueError, r"c has the byte 0x2A \('\*'\) at position 4"),
        ([("c", 2, 3)], {"outside": "wrap"}, ValueError, "outside must be"),
        ("peaks.bed", {}, TypeError, r"must be a list, got the name of a file; give read_bed\(path\)"),
    ],
)
def test_intervals_that_are_refused(intervals, options, kind, words):
    with pytest.raises(kind, match=words):
        one_hot_intervals({"c": "ACGT*"}, intervals, **options)


def test_a_letter_outside_of_the_intervals_is_nobodys_business():
    assert one_hot_intervals({"c": "ACGT*", "d": 7}, [("c", 0, 4)]).sum() == 4


def test_reverse_complement_is_its_own_inverse():
    text = "ACGTRYSWKMBDHVNacgtryswkmbdhvn"
    assert reverse_complement(reverse_complement(text)) == text and reverse_complement("U") == "A"


def test_the_featurizer():
    featurizer = ct.feat.DNAOneHotFeaturizer(length=4)
    assert np.array_equal(featurizer.featurize(["AC", " GT "])[1], one_hot("GT", 4))
    bad = ["AC", "A?", "ACGTA", None, "GG"]
    for item, words in (("A?", "sequence 1 has the byte 0x3F"), ("ACGTA", "length is 4, but sequence 1 has 5")):
        with pytest.raises(ValueError, match=words):
            featurizer.featurize(["AC", item])
    X = featurizer.featurize(bad, errors="mask")
    assert X.shape == (5, 4, 4) and not X[1:4].any() and X[4].sum() == 2
    X, kept = featurizer.featurize(bad, errors="drop")
    assert kept.tolist() == [0, 4] and X.shape == (2, 4, 4) and featurizer.report.kept == 2
    assert [f.position for f in featurizer.report.failures] == [1, 2, 3]
    again = ct.feat.DNAOneHotFeaturizer(**featurizer.to_config())
    assert repr(again) == "DNAOneHotFeaturizer(length=4, reverse_complement=False, dtype='float32')"


def test_a_table_of_sequences(tmp_path):
    (tmp_path / "t.csv").write_text("sequence,y\nACGT,1\nGGGN,0\n")
    loader = ct.data.CSVLoader(["y"], ct.feat.DNAOneHotFeaturizer(), feature_field="sequence")
    data = loader.create_dataset(tmp_path / "t.csv")
    assert data.X.shape == (2, 4, 4) and data.ids.tolist() == ["ACGT", "GGGN"]


def test_a_real_genome(data_dir):
    (record,) = read_fasta(data_dir / "lambda_virus.fa")
    assert len(record.sequence) == 48502 and record.sequence.startswith("GGGCGGCGACCT")
    X = ct.ops.one_hot_dna(record.sequence, dtype="uint8")
    assert X.sum() == sum(record.sequence.count(letter) for letter in "ACGT")
    (ecoli,) = read_fasta(data_dir / "ecoli_k12_GCF_000005845.2.fna.gz")
    assert ecoli.name == "NC_000913.3" and len(ecoli.sequence) == 4641652


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("block", [1, 2, 3, 7, 2**20])
def test_fasta_with_any_line_end_and_mark_gives_the_same_records(tmp_path, monkeypatch, end, mark, block):
    monkeypatch.setattr("catalase.data.genome._BLOCK", block)
    file = tmp_path / "a.fa"
    file.write_bytes((mark + end.join([">one\tfirst of all", "ACGT", "AC", ">two", "", "GG", ""])).encode())
    assert list(ct.data.read_fasta(file)) == [("one", "first of all", "ACGTAC"), ("two", "", "GG")]


def test_fasta_in_utf16_is_refused_by_what_it_is(tmp_path):
    (tmp_path / "a.fa").write_text(">a\nAC\n", encoding="utf-16")
    with pytest.raises(ValueError, match="UTF-16"):
        list(ct.data.read_fasta(tmp_path / "a.fa"))


def test_a_genome_with_a_name_twice_is_refused(tmp_path):
    (tmp_path / "a.fa").write_text(">dup\nAAAA\n>dup\nCCCC\n")
    with pytest.raises(ValueError, match="two sequences named 'dup'"):
        ct.data.one_hot_intervals(tmp_path / "a.fa", [("dup", 0, 1)])


@pytest.mark.parametrize("interval", [("c", 0, 2, "-"), ("c", 0, 2, "peak", "-"), ct.data.Interval("c", 0, 2, "", "-")])
def test_intervals_on_the_other_strand_are_its_reverse_complement(interval):
    found = ct.data.one_hot_intervals({"c": "AACC"}, [interval], dtype="uint8")
    assert found[0].tolist() == [[0, 0, 0, 1], [0, 0, 0, 1]]


@pytest.mark.parametrize("strand", ["+", ".", "*"])
def test_other_strands_are_read_forwards(strand):
    found = ct.data.one_hot_intervals({"c": "AACC"}, [("c", 0, 2, strand)], dtype="uint8")
    assert found[0].tolist() == [[1, 0, 0, 0], [1, 0, 0, 0]]


def test_a_strand_that_is_none_is_refused():
    with pytest.raises(ValueError, match="interval 0 has the strand 'minus'"):
        ct.data.one_hot_intervals({"c": "AACC"}, [("c", 0, 2, "peak", "minus")])


def test_bed_of_other_programs(tmp_path):
    file = tmp_path / "a.bed"
    file.write_bytes("\ufefftrack\tname=x\rchr1\t0\t3\tp\t0\t*\r\rchr2 1 2\r".encode())
    assert [tuple(item) for item in ct.data.read_bed(file)] == [("chr1", 0, 3, "p", "."), ("chr2", 1, 2, "", ".")]
    for line, words in (("\tchr1\t0\t3", "line 1 .*begins with a tab"), ("c\t1_0\t20", "whole numbers")):
        file.write_text(line)
        with pytest.raises(ValueError, match=words):
            ct.data.read_bed(file)
