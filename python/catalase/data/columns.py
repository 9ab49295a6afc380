"""Which columns of a table hold SMILES and names of molecules, by their names."""

from __future__ import annotations

from collections.abc import Sequence

# Names of columns of SMILES, the most telling first; then the same in any spelling, and "structure".
SMILES_COLUMNS = ("smiles", "SMILES", "Smiles", "mol", "canonical_smiles")
_SMILES_IN_ANY_CASE = (
    "smiles", "canonical_smiles", "canonical smiles", "isomeric_smiles", "isomeric smiles", "smi", "mol", "structure",
    "structures",
)  # fmt: skip
ID_COLUMNS = ("id", "ID", "Id", "name", "Name", "zinc_id", "chembl_id", "mol_id", "molecule_id")
_IDS_IN_ANY_CASE = (
    "id", "name", "zinc_id", "chembl_id", "mol_id", "molecule_id", "idnumber", "compound_id", "compound id", "compound name",
    "catalog_id", "catalog id", "molecule name", "title",
)  # fmt: skip


def smiles_among(header: Sequence[str], preferred: str | None = None) -> str | None:
    """Return the column that holds the SMILES by its name, ``preferred`` first; None where no name says so.

    Otherwise it is the first of "smiles", "SMILES", "Smiles", "mol", "canonical_smiles"; of these and "isomeric_smiles",
    "smi" and "structure" in any case; the only one whose name has the word "smiles" in it.

    Examples
    --------
    >>> from catalase.data.columns import smiles_among
    >>> smiles_among(["Name", "Structure", "IC50"]), smiles_among(["id", "SMILES of the parent"]), smiles_among(["id"])
    ('Structure', 'SMILES of the parent', None)
    """
    if (found := named_smiles(header, preferred)) is not None:
        return found
    having = [name for name in header if "smiles" in name.lower()]
    return having[0] if len(having) == 1 else None


def named_smiles(header: Sequence[str], preferred: str | None = None) -> str | None:
    """Return the column of `smiles_among` without the last of its rules, which needs a header that is known to be one."""
    return _first(header, ([preferred] if preferred else []) + list(SMILES_COLUMNS), _SMILES_IN_ANY_CASE)


def ids_among(header: Sequence[str]) -> str | None:
    """Return the column that holds the names of the molecules by its own name; None where no name says so."""
    return _first(header, ID_COLUMNS, _IDS_IN_ANY_CASE)


def _first(header: Sequence[str], exact: Sequence[str], in_any_case: Sequence[str]) -> str | None:
    found = next((name for name in exact if header.count(name) == 1), None)
    lower = [name.strip().lower() for name in header]
    at = next((lower.index(name) for name in in_any_case if lower.count(name) == 1), None)
    return found if found is not None or at is None else header[at]
