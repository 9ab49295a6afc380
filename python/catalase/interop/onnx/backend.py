"""ONNX's backend API: run models of ONNX on this library's kernels.

``prepare(model).run(inputs)`` is the protocol of `onnx.backend.base`, so that tools which take a backend, such as
`onnx.backend.test.BackendTest`, take this module. What an operator computes is in `catalase.interop.onnx.operators`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._internal.numbers import path_of, shown
from ...nn.onnx import onnx_package
from .operators import OPERATORS, Node, Unsupported

__all__ = ["PreparedModel", "is_compatible", "prepare", "run_model", "run_node", "supports_device"]


class _Refused(NotImplementedError):
    """What this backend does not support."""


def _refusal(message: str) -> Exception:
    """The exception by which ONNX's tests know that a backend does not implement something."""
    from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

    kind = type("NotSupported", (BackendIsNotSupposedToImplementIt, _Refused), {})
    return kind(message)


class PreparedModel:
    """A model that is ready to run; `prepare` makes it.

    Attributes
    ----------
    inputs, outputs : list of str
        Names, in the order in which `run` takes and gives them.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._opsets = {entry.domain: entry.version for entry in model.opset_import}
        self._functions = {(f.domain, f.name): f for f in model.functions}
        self._constants = _initializers(model.graph)
        self.inputs = [v.name for v in model.graph.input if v.name not in self._constants]
        self.outputs = [v.name for v in model.graph.output]
        for node in _nodes(model.graph):
            self._check(node)

    def run(self, inputs: Any, **options: Any) -> tuple[Any, ...]:
        """Compute the outputs.

        Parameters
        ----------
        inputs : array, sequence of arrays, or mapping of arrays by name
            A tensor is a NumPy array, a sequence a list, an optional value that is absent None.
        **options
            Taken, as ONNX's protocol has them, and not used.

        Returns
        -------
        tuple
            One value for each output of the model.
        """
        if isinstance(inputs, np.ndarray):
            inputs = [inputs]
        names = [v.name for v in self._model.graph.input]
        if isinstance(inputs, Mapping):
            values = dict(inputs)
        elif isinstance(inputs, (list, tuple)) and len(inputs) <= len(names):
            names = self.inputs if len(inputs) <= len(self.inputs) else names
            values = dict(zip(names, inputs, strict=False))
        else:
            raise TypeError(f"run: inputs must be up to {len(names)} arrays, or arrays by name, got {shown(inputs)}")
        missing = [name for name in self.inputs if name not in values]
        unknown = [name for name in values if name not in {v.name for v in self._model.graph.input}]
        if missing or unknown:
            raise ValueError(
                f"run: the model takes {', '.join(self.inputs)}; "
                + (f"missing: {', '.join(missing)}" if missing else f"it has no input {unknown[0]!r}")
            )
        values = {**self._constants, **{name: _value(name, value) for name, value in values.items()}}
        self._run(self._model.graph.node, values, self._opsets)
        return tuple(values[name] for name in self.outputs)

    def _check(self, node: Any) -> None:
        """Refuse a node that no operator here can compute."""
        if (node.domain, node.op_type) not in self._functions and not self._operator(node, self._opsets):
            domain = f"{node.domain}." if node.domain else ""
            raise _refusal(f"prepare: the operator {domain}{node.op_type} is not supported")

    def _operator(self, node: Any, opsets: Mapping[str, int]) -> Any:
        """The function of an operator, or the body that ONNX defines it by."""
        if node.domain in ("", "ai.onnx", "ai.onnx.preview.training") and node.op_type in OPERATORS:
            return OPERATORS[node.op_type]
        onnx = onnx_package("prepare")
        if not onnx.defs.has(node.op_type, node.domain):
            return None
        schema = onnx.defs.get_schema(node.op_type, opsets.get(node.domain, 1), node.domain)
        if not schema.has_function:
            return None
        body = onnx.FunctionProto()
        body.CopyFrom(schema.function_body)
        body.attribute_proto.extend(a.default_value for a in schema.attributes.values() if a.default_value.name)
        return body

    def _run(self, nodes: Any, values: dict[str, Any], opsets: Mapping[str, int]) -> None:
        """Compute nodes in their order, into ``values``."""
        for node in nodes:
            given = [values[name] if name else None for name in node.input]
            function = self._functions.get((node.domain, node.op_type)) or self._operator(node, opsets)
            if function is None:
                raise _refusal(f"run: the operator {node.op_type} is not supported")
            attributes = {a.name: _attribute(a) for a in node.attribute}
            if callable(function):
                found = self._call(function, node, given, attributes, values, opsets)
            else:
                found = self._body(function, given, attributes)
            values.update((name, value) for name, value in zip(node.output, found, strict=False) if name)

    def _call(
        self, function: Any, node: Any, given: list[Any], attributes: dict[str, Any], values: Any, opsets: Any
    ) -> tuple[Any, ...]:
        def subgraph(graph: Any, inputs: Sequence[Any] = ()) -> tuple[Any, ...]:
            inner = {**values, **_initializers(graph)}
            inner.update(zip((v.name for v in graph.input), inputs, strict=False))
            self._run(graph.node, inner, opsets)
            return tuple(inner[v.name] for v in graph.output)

        version = opsets.get(node.domain, opsets.get("", 1))
        about = Node(node.op_type, attributes, version, len(node.output), subgraph)
        try:
            with np.errstate(all="ignore"):
                found = function(about, *given)
        except Unsupported as error:
            raise _refusal(f"run: {node.op_type}: {error}") from None
        except NotImplementedError as error:
            raise _refusal(f"run: {node.op_type}: {error}") from None
        return found if isinstance(found, tuple) else (found,)

    def _body(self, function: Any, given: list[Any], attributes: dict[str, Any]) -> tuple[Any, ...]:
        """Run the nodes of a function of ONNX."""
        known = {a.name: _attribute(a) for a in function.attribute_proto} | attributes
        inner: dict[str, Any] = {"": None, **dict.fromkeys(function.input)}
        inner.update(zip(function.input, given, strict=False))
        nodes = []
        for node in function.node:
            copy = type(node)()
            copy.CopyFrom(node)
            del copy.attribute[:]
            for a in node.attribute:
                if not a.ref_attr_name:
                    copy.attribute.append(a)
                elif known.get(a.ref_attr_name) is not None:
                    copy.attribute.append(_made(a.name, known[a.ref_attr_name]))
            nodes.append(copy)
        self._run(nodes, inner, {entry.domain: entry.version for entry in function.opset_import} or self._opsets)
        return tuple(inner[name] for name in function.output)


def prepare(model: Any, device: str = "CPU", **options: Any) -> PreparedModel:
    """Make a model ready to run.

    Parameters
    ----------
    model : onnx.ModelProto, or path of a file
    device : {"CPU"}
    **options
        Taken, as ONNX's protocol has them, and not used.

    Returns
    -------
    PreparedModel

    Raises
    ------
    NotImplementedError
        For an operator that is not supported; it is also ONNX's BackendIsNotSupposedToImplementIt.

    Examples
    --------
    >>> import numpy as np, pytest, catalase as ct
    >>> onnx = pytest.importorskip("onnx")
    >>> node = onnx.helper.make_node("Relu", ["x"], ["y"])
    >>> ct.interop.onnx.backend.run_node(node, [np.array([-1.0, 2.0], np.float32)])
    (array([0., 2.], dtype=float32),)
    """
    onnx = onnx_package("prepare")
    if not supports_device(device):
        raise ValueError(f"prepare: device must be 'CPU', got {shown(device)}")
    if not isinstance(model, onnx.ModelProto):
        if not isinstance(model, (str, os.PathLike)):
            raise TypeError(f"prepare: model must be an onnx.ModelProto or a path, got {shown(model)}")
        file = path_of("prepare", "model", model)
        try:
            model = onnx.load(file)
        except FileNotFoundError:
            raise FileNotFoundError(f"prepare: model: there is no file {str(file)!r}") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"prepare: model: the file {str(file)!r} cannot be read: {error}") from None
        except Exception as error:  # of protobuf, whose class has moved between its versions
            raise ValueError(f"prepare: model: {str(file)!r} is no file of ONNX: {error}") from None
    return PreparedModel(model)


def run_model(model: Any, inputs: Any, device: str = "CPU", **options: Any) -> tuple[Any, ...]:
    """Prepare a model and run it once; see `prepare` and `PreparedModel.run`."""
    return prepare(model, device).run(inputs)


def run_node(node: Any, inputs: Any, device: str = "CPU", outputs_info: Any = None, **options: Any) -> tuple[Any, ...]:
    """Run one node; ``opset_version`` among the options is the version of its operator, the newest where left out."""
    onnx = onnx_package("run_node")
    if not isinstance(node, onnx.NodeProto):
        raise TypeError(f"run_node: node must be an onnx.NodeProto, got {shown(node)}")
    version = options.get("opset_version", onnx.defs.onnx_opset_version())
    graph = onnx.helper.make_graph(
        [node],
        "node",
        [onnx.helper.make_empty_tensor_value_info(name) for name in node.input if name],
        [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(node.domain, version)])
    return prepare(model, device).run(inputs)


def is_compatible(model: Any, device: str = "CPU", **options: Any) -> bool:
    """Whether every operator of a model is supported."""
    try:
        prepare(model, device)
    except NotImplementedError:
        return False
    return True


def supports_device(device: str) -> bool:
    """Whether models run on a device of this name, such as "CPU" or "CUDA:1"."""
    return isinstance(device, str) and device == "CPU"


def _value(name: str, value: Any) -> Any:
    """An input as a NumPy array, or as a list of them for a sequence."""
    if value is None or isinstance(value, (np.ndarray, list)):
        return value
    if isinstance(value, (np.generic, bool, int, float, str)):
        return np.asarray(value)
    raise TypeError(f"run: inputs: {name} must be an array, got {shown(value)}")


def _nodes(graph: Any) -> Any:
    """The nodes of a graph and of the graphs in their attributes."""
    for node in graph.node:
        yield node
        for a in node.attribute:
            for inner in [a.g] if a.HasField("g") else a.graphs:
                yield from _nodes(inner)


def _initializers(graph: Any) -> dict[str, NDArray[Any]]:
    onnx = onnx_package("prepare")
    if graph.sparse_initializer:
        raise _refusal("prepare: sparse initializers are not supported")
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _attribute(a: Any) -> Any:
    onnx = onnx_package("prepare")
    value = onnx.helper.get_attribute_value(a)
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [v.decode() for v in value]
    if isinstance(value, onnx.SparseTensorProto):
        raise _refusal("prepare: sparse tensors are not supported")
    return value


def _made(name: str, value: Any) -> Any:
    onnx = onnx_package("prepare")
    return onnx.helper.make_attribute(
        name, onnx.numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
    )
