"""What tests/ops/differential_microsoft.py draws its cases with: random material, ONNX Runtime as the oracle, the layout of the
official cases."""

import os
import shutil
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

IR_VERSION = 10
TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.uint8): TensorProto.UINT8,
         np.dtype(np.int8): TensorProto.INT8, np.dtype(np.int32): TensorProto.INT32,
         np.dtype(np.int64): TensorProto.INT64, np.dtype(np.uint16): TensorProto.UINT16,
         np.dtype(np.int16): TensorProto.INT16, np.dtype(np.float64): TensorProto.DOUBLE}
MICROSOFT = "com.microsoft"


def model_of(op, inputs, outputs, opset, attributes, constants=(), domain=""):
    """A model of one node; the inputs at the indices `constants` become initializers. `outputs` are dtypes, or None for
    one that is left out."""
    names = [f"i{k}" if value is not None else "" for k, value in enumerate(inputs)]
    infos = [helper.make_tensor_value_info(names[k], TYPES[v.dtype], [None] * v.ndim)
             for k, v in enumerate(inputs) if v is not None and k not in constants]
    weights = [numpy_helper.from_array(inputs[k], names[k]) for k in constants]
    results = [helper.make_tensor_value_info(f"o{k}", TYPES[np.dtype(t)], None) for k, t in enumerate(outputs) if t]
    node = helper.make_node(op, names, [f"o{k}" if t else "" for k, t in enumerate(outputs)], domain=domain, **attributes)
    graph = helper.make_graph([node], op, infos, results, weights)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)


def run(model, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    wanted = {i.name for i in session.get_inputs()}
    return session.run(None, {f"i{k}": v for k, v in enumerate(inputs) if f"i{k}" in wanted})


def raised(value):
    """int8 as uint8, 128 higher."""
    return np.asarray(value.astype(np.int16) + 128).astype(np.uint8) if value is not None and value.dtype == np.int8 else value


class Cases:
    def __init__(self, folder, seed):
        self.folder = folder
        self.random = np.random.default_rng(seed)
        self.lines = []

    def add(self, op, inputs, outputs, opset=21, constants=(), rtol=0.0, atol=0.0, domain="", **attributes):
        """Compares with ONNX Runtime run on the same inputs, int8 raised; outputs are their dtypes."""
        oracle_inputs = [raised(value) for value in inputs]
        oracle_types = [np.uint8 if np.dtype(t) == np.int8 else t for t in outputs]
        oracle = model_of(op, oracle_inputs, oracle_types, opset, attributes, constants, domain)
        try:
            expected = run(oracle, oracle_inputs)
        except Exception as reason:  # ONNX Runtime does not take this case: nothing to compare with
            print(f"{op}: {str(reason).splitlines()[0][:150]}", file=sys.stderr)
            return
        expected = [(v.astype(np.int16) - 128).astype(np.int8) if np.dtype(t) == np.int8 else v
                    for v, t in zip(expected, outputs)]
        self.write(op, model_of(op, inputs, outputs, opset, attributes, constants, domain), inputs, constants,
                   expected, rtol, atol)

    def add_microsoft(self, op, inputs, outputs, constants=(), rtol=0.0, atol=0.0, **attributes):
        """Compares an operator of com.microsoft with ONNX Runtime run on just these inputs."""
        model = model_of(op, inputs, outputs, 21, attributes, constants, MICROSOFT)
        self.write(op, model, inputs, constants, run(model, inputs), rtol, atol)

    def write(self, op, model, inputs, constants, expected, rtol, atol):
        name = f"differential/test_{op.lower()}_{len(self.lines):04d}"
        folder = os.path.join(self.folder, name)
        data = os.path.join(folder, "test_data_set_0")
        os.makedirs(data)
        onnx.save(model, os.path.join(folder, "model.onnx"))
        given = [(k, v) for k, v in enumerate(inputs) if v is not None and k not in constants]
        for i, (k, v) in enumerate(given):
            with open(os.path.join(data, f"input_{i}.pb"), "wb") as file:
                file.write(numpy_helper.from_array(v, f"i{k}").SerializeToString())
        for i, v in enumerate(expected):
            with open(os.path.join(data, f"output_{i}.pb"), "wb") as file:
                file.write(numpy_helper.from_array(np.asarray(v), f"o{i}").SerializeToString())
        self.lines.append(f"{name} {rtol} {atol}")

    # --- random material ---
    def size(self, low, high):
        return int(self.random.integers(low, high + 1))

    def bit(self):
        return bool(self.random.integers(0, 2))

    def byte_type(self):
        return self.random.choice([np.int8, np.uint8])

    def bytes(self, dtype, shape):
        info = np.iinfo(dtype)
        return self.random.integers(info.min, info.max + 1, shape).astype(dtype)

    def zero(self, dtype, shape=()):
        low, high = (90, 160) if dtype == np.uint8 else (-30, 30)
        return np.asarray(self.random.integers(low, high, shape)).astype(dtype)

    def scale(self, shape=()):
        return np.asarray(self.random.uniform(0.004, 0.02, shape)).astype(np.float32)

    def floats(self, *shape, dtype=np.float32):
        return self.random.normal(0, 1, shape).astype(dtype)

    def window(self, spatial, weights=True):
        """kernel, attributes and input sizes of a random window."""
        kernel = [self.size(1, 4) for _ in range(spatial)]
        attributes = {"kernel_shape": kernel, "strides": [self.size(1, 3) for _ in range(spatial)]}
        if self.bit():
            attributes["dilations"] = [self.size(1, 2) for _ in range(spatial)]
        dilations = attributes.get("dilations", [1] * spatial)
        if self.size(0, 3) == 0:
            attributes["auto_pad"] = str(self.random.choice(["SAME_UPPER", "SAME_LOWER", "VALID"]))
            # Windows that leave gaps would need negative padding, on which ONNX Runtime's operators disagree.
            attributes["strides"] = [min(s, k) for s, k in zip(attributes["strides"], kernel)]
            attributes.pop("dilations", None)  # ONNX Runtime refuses the two together
            dilations = [1] * spatial
        else:
            limits = [k if weights else k - 1 for k in kernel]
            attributes["pads"] = [self.size(0, p) for p in limits + limits]
        sizes = [(k - 1) * d + 1 + self.size(0, 9) for k, d in zip(kernel, dilations)]
        return kernel, attributes, sizes


def conv_inputs(c, spatial, x_type, w_type):
    groups, per_group, filters = c.size(1, 3), c.size(1, 5), c.size(1, 5)
    if c.size(0, 3) == 0:
        groups, per_group, filters = c.size(2, 9), 1, 1
    kernel, attributes, sizes = c.window(spatial)
    attributes["group"] = groups
    x = c.bytes(x_type, [c.size(1, 2), groups * per_group] + sizes)
    w = c.bytes(w_type, [groups * filters, per_group] + kernel)
    return x, w, attributes


def main(kinds):
    folder = sys.argv[1]
    cases = Cases(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 240
    shutil.rmtree(os.path.join(folder, "differential"), ignore_errors=True)
    for i in range(count):
        kinds[i % len(kinds)](cases)
    with open(os.path.join(folder, "manifest.txt"), "w") as file:
        file.write("\n".join(cases.lines) + "\n")
