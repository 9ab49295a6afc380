"""Models of chemprop 2: its checkpoints (``.pt``, ``.ckpt``) as a `catalase.models.DMPNNModel`, and the way back.

Neither chemprop nor PyTorch is needed, and nothing in the file is run (see `catalase.interop.torch_file`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import path_of, shown
from .._internal.storage.outputs import Output, check_outputs
from ..models import DMPNNModel
from .torch_file import Record, StoredTensor, read_torch_file, write_torch_file

__all__ = ["load", "save"]

_PACKAGES = ("torch", "collections", "chemprop", "lightning", "torchmetrics", "numpy", "_codecs", "argparse", "pathlib")
_AGGREGATIONS = {
    "MeanAggregation": "mean",
    "SumAggregation": "sum",
    "NormAggregation": "norm",
    "AttentiveAggregation": "attention",
}
_MODES = {
    "RegressionFFN": "regression",
    "BinaryClassificationFFN": "classification",
    "MulticlassClassificationFFN": "classification",
}
_ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "ReLU": ("relu", {}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": 0.01}),
    "Tanh": ("tanh", {}),
    "ELU": ("elu", {"alpha": 1.0}),
}
"""Activations by the names of PyTorch's classes, with the settings that these must have."""
_NAMED = ("relu", "tanh", "elu")
"""Activations that chemprop means by these names; its "leakyrelu" has the slope 0.1."""
_NORM = {"gamma": "weight", "beta": "bias", "running_mean": "running_mean", "running_var": "running_var"}
_FEATURES = {(72, 14): "dmpnn", (133, 14): "dmpnn_v1", (44, 14): "dmpnn_organic"}


def load(path: str | os.PathLike[str]) -> DMPNNModel:
    """Return the model that a checkpoint of chemprop 2 holds.

    Parameters
    ----------
    path : path
        ``best.pt`` as chemprop's command line writes it, or a Lightning checkpoint (``.ckpt``).

    Returns
    -------
    DMPNNModel
        Its predictions are chemprop's within 1e-5 of their size. It takes SMILES, and can be trained on and saved. One with
        extra features of molecules (X_d) has ``n_extra_features`` of them and keeps chemprop's scaling; give it graphs that
        have them (`MolGraphs.with_extra`), or set ``model.featurizer`` to what makes them.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is none of chemprop 2, is broken, or holds a model that Catalase has no counterpart of: a net on
        atoms, reactions or several molecules, with descriptors of atoms, or with an output of another kind than numbers
        or classes. The sentence names what it holds.

    Examples
    --------
    >>> import catalase as ct
    >>> model = ct.interop.chemprop.load("best.pt")  # doctest: +SKIP
    >>> model.predict(["CCO", "c1ccccc1"])  # doctest: +SKIP
    """
    where = os.fspath(path_of("chemprop.load", "path", path))
    checkpoint = read_torch_file(where, _PACKAGES)
    if not isinstance(checkpoint, dict) or not {"hyper_parameters", "state_dict"} <= checkpoint.keys():
        known = isinstance(checkpoint, dict) and "args" in checkpoint
        raise ValueError(
            f"{where}: a model of chemprop 1; convert it with 'chemprop convert' first"
            if known
            else f"{where}: no checkpoint of chemprop, which holds hyper_parameters and a state_dict"
        )
    settings, state = checkpoint["hyper_parameters"], checkpoint["state_dict"]
    try:
        model = _model(where, settings)
        model.load_state_dict(_weights(where, state, model))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{where}: a checkpoint of chemprop without {error}") from None
    columns = checkpoint.get("output_columns")
    if isinstance(columns, list) and len(columns) == model.n_tasks and all(isinstance(c, str) for c in columns):
        model.tasks = columns
    return model


def save(model: DMPNNModel, path: str | os.PathLike[str]) -> None:
    """Write a model as a checkpoint that chemprop 2 loads (``chemprop predict --model-paths model.pt``).

    Parameters
    ----------
    model : DMPNNModel
    path : path
        The file to write, such as ``model.pt``. A file that is there is replaced only if it is a checkpoint.

    Raises
    ------
    TypeError
        If the model is no D-MPNN.
    ValueError
        If chemprop has no counterpart of its activation.
    OSError
        If the file cannot be written.

    Notes
    -----
    The file is a pickle, as all of PyTorch's are, and this function is the only one of Catalase that writes one: who reads
    it runs it. The scale of the labels is multiplied into the last layer. Normalizations of the labels by transformers
    (``model.transformers``) are not written. The scaling of extra features becomes chemprop's X_d_transform, which clips
    nothing, so predictions differ for molecules with features beyond 6 deviations.
    """
    if not isinstance(model, DMPNNModel):
        raise TypeError(f"chemprop.save: model must be a catalase.models.DMPNNModel, got {shown(model)}")
    where = path_of("chemprop.save", "path", path)
    check_outputs("chemprop.save", {}, [Output("path", where, begins=b"PK\x03\x04")], advice="another path")
    write_torch_file(
        where,
        {
            "hyper_parameters": _settings(model),
            "state_dict": _state(model),
            "output_columns": model.tasks,
        },
    )


def _settings(model: DMPNNModel) -> dict[str, Any]:
    """What `_model` reads."""
    named = {own: name for name, (own, _) in _ACTIVATIONS.items()}
    if model.activation not in named:
        raise ValueError(f"chemprop.save: chemprop has no activation {model.activation!r}, only {', '.join(named)}")
    activation = Record(f"torch.nn.modules.activation.{named[model.activation]}", ())
    kind = next(
        name
        for name, mode in _MODES.items()
        if mode == model.mode and (name.startswith("Multiclass") == (mode == "classification" and model.n_classes > 2))
    )
    readout = next(name for name, own in _AGGREGATIONS.items() if own == model.aggregation)
    atom_features, bond_features = next(size for size, name in _FEATURES.items() if name == model.features)
    more = {"norm": model.aggregation_norm} if model.aggregation == "norm" else {}
    more |= {"output_size": model.message_hidden_dim} if model.aggregation == "attention" else {}
    classes = {"n_classes": model.n_classes} if kind.startswith("Multiclass") else {}
    rates = {name: getattr(model, name) for name in ("warmup_epochs", "init_lr", "max_lr", "final_lr")}
    return {
        "batch_norm": model.batch_norm,
        "metrics": None,
        **rates,
        "X_d_transform": _scale_transform(model),
        "message_passing": {
            "d_v": atom_features,
            "d_e": bond_features,
            "d_h": model.message_hidden_dim,
            "bias": model.message_bias,
            "depth": model.depth,
            "dropout": model.dropout,
            "activation": activation,
            "undirected": False,
            "d_vd": None,
            "V_d_transform": None,
            "graph_transform": None,
            "cls": Record("chemprop.nn.message_passing.base.BondMessagePassing"),
        },
        "agg": {"dim": 0, **more, "cls": Record(f"chemprop.nn.agg.{readout}")},
        "predictor": {
            "n_tasks": model.n_tasks,
            "input_dim": model.message_hidden_dim + model.n_extra_features,
            "hidden_dim": model.ffn_hidden_dim,
            "n_layers": model.ffn_num_layers,
            "dropout": model.dropout,
            "activation": activation,
            "task_weights": None,
            "threshold": None,
            **classes,
            "criterion": None,
            "output_transform": None,
            "cls": Record(f"chemprop.nn.predictors.{kind}"),
        },
    }


def _scale_transform(model: DMPNNModel) -> Record | None:
    """chemprop's scaling of the extra features. Constant columns, which Catalase drops, keep their size there."""
    if not model.n_extra_features:
        return None
    mean, deviation = (model.state_dict()[f"extra.{name}"] for name in ("mean", "deviation"))
    scale = np.where(deviation > 0, deviation, 1)
    return Record("chemprop.nn.transforms.ScaleTransform", (mean.tolist(), scale.tolist()))


def _state(model: DMPNNModel) -> dict[str, NDArray[Any]]:
    """What `_weights` reads."""
    own = model.state_dict()
    found = {
        "message_passing.W_i.weight": own["messages.w_input"].T,
        "message_passing.W_h.weight": own["messages.w_message"].T,
        "message_passing.W_o.weight": np.concatenate([own["messages.w_atom"], own["messages.w_output"]]).T,
        "message_passing.W_o.bias": own["messages.b_output"],
    }
    if model.message_bias:
        found["message_passing.W_i.bias"] = own["messages.b_input"]
        found["message_passing.W_h.bias"] = own["messages.b_message"]
    if model.aggregation == "attention":
        found["agg.W.weight"], found["agg.W.bias"] = own["readout.w"].T, own["readout.b"]
    if model.batch_norm:
        found |= {f"bn.{name}": own[f"norm.{key}"] for key, name in _NORM.items()}
    dense = _dense(own)
    for i, name in enumerate(dense):
        w, b = own[name], own[name[:-1] + "b"]
        if i == 0 and model.n_extra_features:
            w = w.copy()
            w[model.message_hidden_dim :][own["extra.deviation"] == 0] = 0
        if i == len(dense) - 1 and model.mode == "regression":
            w, b = w * own["label_scale"], b * own["label_scale"] + own["label_mean"]
        key = f"predictor.ffn.{i}.{2 if i else 0}"
        found[f"{key}.weight"], found[f"{key}.bias"] = w.T, b
    transform = _scale_transform(model)
    if transform is not None:
        assert transform.arguments is not None
        for key, values in zip(("mean", "scale"), transform.arguments, strict=True):
            found[f"X_d_transform.{key}"] = np.array([values], np.float32)
    found["predictor.criterion.task_weights"] = np.ones((1, model.n_tasks), np.float32)
    return found


def _model(where: str, settings: Mapping[str, Any]) -> DMPNNModel:
    """A model with the settings of a checkpoint, and start values."""
    messages, readout, predictor = settings["message_passing"], settings["agg"], settings["predictor"]
    for part, known in ((messages, ["BondMessagePassing"]), (readout, _AGGREGATIONS), (predictor, _MODES)):
        if _class_of(part) not in known:
            raise ValueError(f"{where}: a net with {_class_of(part)}; Catalase has {', '.join(known)}")
    size = (messages["d_v"], messages["d_e"])
    if size not in _FEATURES:
        raise ValueError(
            f"{where}: a net on {size[0]} features of an atom and {size[1]} of a bond; Catalase makes "
            + ", ".join(f"{v} and {e} ({name})" for (v, e), name in _FEATURES.items())
        )
    width, hidden = messages["d_h"], predictor["hidden_dim"]
    layers = predictor["n_layers"]
    if isinstance(hidden, list):
        layers = len(hidden)
        if len(set(hidden)) != 1:
            raise ValueError(f"{where}: a dense net with layers of different widths {hidden}; they must be equal")
        hidden = hidden[0]
    if messages.get("d_vd"):
        raise ValueError(f"{where}: a net with descriptors beside the graph's atoms, which Catalase does not take")
    if messages["undirected"]:
        raise ValueError(f"{where}: a net with undirected messages, which Catalase does not have")
    activation = _activation(where, messages["activation"])
    if messages["dropout"] != predictor["dropout"] or activation != _activation(where, predictor["activation"]):
        raise ValueError(f"{where}: a net whose two halves have different dropout or activation")
    return DMPNNModel(
        n_tasks=predictor["n_tasks"],
        mode=_MODES[_class_of(predictor)],
        n_classes=predictor.get("n_classes", 2),
        features=_FEATURES[size],
        message_hidden_dim=width,
        depth=messages["depth"],
        message_bias=messages["bias"],
        dropout=messages["dropout"],
        activation=activation,
        aggregation=_AGGREGATIONS[_class_of(readout)],
        aggregation_norm=readout.get("norm", 100.0),
        batch_norm=settings["batch_norm"],
        ffn_hidden_dim=hidden,
        ffn_num_layers=layers,
        **{name: settings[name] for name in ("warmup_epochs", "init_lr", "max_lr", "final_lr")},
        n_extra_features=predictor["input_dim"] - width,
    )


def _activation(where: str, given: Any) -> str:
    """The name of an activation that is named by chemprop, or is one of PyTorch's objects, as its command line writes it."""
    if isinstance(given, Record) and given.name.startswith("torch."):
        kind = given.name.split(".")[-1]
        own, needed = _ACTIVATIONS.get(kind, ("", {}))
        state: dict[str, Any] = given.state if isinstance(given.state, dict) else {}
        if own and all(state.get(name, value) == value for name, value in needed.items()):
            return own
    else:
        kind = str(given.arguments[0] if isinstance(given, Record) and given.arguments else given)
        if kind.lower() in _NAMED:
            return kind.lower()
    known = ", ".join(
        f"{name}({', '.join(f'{k}={v}' for k, v in needed.items())})" for name, (_, needed) in _ACTIVATIONS.items()
    )
    raise ValueError(f"{where}: a net with the activation {kind}; Catalase has {known}")


def _class_of(part: Mapping[str, Any]) -> str:
    named = part["cls"]
    return named.name.split(".")[-1] if isinstance(named, Record) else str(named)


def _dense(state: Mapping[str, Any]) -> list[str]:
    """The names of the weights of the dense net, in order."""
    return [name for name in state if name.startswith("layers.") and name.endswith(".w")]


def _weights(where: str, state: Mapping[str, StoredTensor], model: DMPNNModel) -> dict[str, NDArray[Any]]:
    """The weights of a checkpoint under the names and in the layout of the model's."""
    left = {key for key in state if not key.startswith(("metrics.", "predictor.criterion."))}

    def take(key: str) -> NDArray[Any]:
        left.discard(key)
        return state[key].array()

    found: dict[str, NDArray[Any]] = {}
    atom_features = model.module.messages.atom_features
    output = take("message_passing.W_o.weight").T
    found["messages.w_input"] = take("message_passing.W_i.weight").T
    found["messages.w_message"] = take("message_passing.W_h.weight").T
    found["messages.w_atom"], found["messages.w_output"] = output[:atom_features], output[atom_features:]
    found["messages.b_output"] = take("message_passing.W_o.bias")
    if model.message_bias:
        found["messages.b_input"] = take("message_passing.W_i.bias")
        found["messages.b_message"] = take("message_passing.W_h.bias")
    if model.aggregation == "attention":
        found["readout.w"], found["readout.b"] = take("agg.W.weight").T, take("agg.W.bias")
    if model.batch_norm:
        found |= {f"norm.{own}": take(f"bn.{name}") for own, name in _NORM.items()}
        left.discard("bn.num_batches_tracked")
    for i, name in enumerate(_dense(model.state_dict())):
        key = f"predictor.ffn.{i}.{2 if i else 0}"
        found[name], found[name[:-1] + "b"] = take(f"{key}.weight").T, take(f"{key}.bias")
    for transform, count, means, scales in (
        ("predictor.output_transform", model.n_tasks, "label_mean", "label_scale"),
        ("X_d_transform", model.n_extra_features, "extra.mean", "extra.deviation"),
    ):
        scaled = f"{transform}.mean" in state
        for own, name in ((means, "mean"), (scales, "scale")) if count else ():
            values = take(f"{transform}.{name}") if scaled else np.full(count, float(name == "scale"))
            found[own] = values.reshape(count)
    if model.n_extra_features:
        found["extra.limits"] = np.full(2, np.finfo(np.float32).max)  # chemprop clips nothing
    if left:
        raise ValueError(f"{where}: a net with {', '.join(sorted(left)[:3])}, which Catalase has no counterpart of")
    return {name: np.ascontiguousarray(values, np.float32) for name, values in found.items()}
