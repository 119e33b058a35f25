"""Writes random one-node models with ONNX Runtime's outputs as expectation, in the layout of tests/conformance:
differential/NAME/{model.onnx, test_data_set_0} and manifest.txt with one line a case: NAME RTOL ATOL.

    differential.py FOLDER [SEED [COUNT]]

Integer results must agree bit for bit. On x86 without VNNI ONNX Runtime's kernels for uint8 x int8 saturate, so
what it is given has all int8 tensors written as uint8 with zero points 128 higher, which is exact everywhere; its
output is shifted back."""

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


def model_of(op, inputs, outputs, opset, attributes, constants=()):
    """A model of one node; the inputs at the indices `constants` become initializers."""
    names = [f"i{k}" if value is not None else "" for k, value in enumerate(inputs)]
    infos = [helper.make_tensor_value_info(names[k], TYPES[v.dtype], [None] * v.ndim)
             for k, v in enumerate(inputs) if v is not None and k not in constants]
    weights = [numpy_helper.from_array(inputs[k], names[k]) for k in constants]
    results = [helper.make_tensor_value_info(f"o{k}", TYPES[np.dtype(t)], None) for k, t in enumerate(outputs)]
    node = helper.make_node(op, names, [r.name for r in results], **attributes)
    graph = helper.make_graph([node], op, infos, results, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)


def run(model, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    wanted = {i.name for i in session.get_inputs()}
    return session.run(None, {f"i{k}": v for k, v in enumerate(inputs) if f"i{k}" in wanted})


def raised(value):
    """int8 as uint8, 128 higher."""
    return (value.astype(np.int16) + 128).astype(np.uint8) if value is not None and value.dtype == np.int8 else value


class Cases:
    def __init__(self, folder, seed):
        self.folder = folder
        self.random = np.random.default_rng(seed)
        self.lines = []

    def add(self, op, inputs, outputs, opset=21, constants=(), rtol=0.0, atol=0.0, **attributes):
        """Compares with ONNX Runtime run on the same inputs, int8 raised; outputs are their dtypes."""
        oracle_inputs = [raised(value) for value in inputs]
        oracle_types = [np.uint8 if np.dtype(t) == np.int8 else t for t in outputs]
        try:
            expected = run(model_of(op, oracle_inputs, oracle_types, opset, attributes, constants), oracle_inputs)
        except Exception as reason:  # ONNX Runtime does not take this case: nothing to compare with
            print(f"{op}: {str(reason).splitlines()[0][:150]}", file=sys.stderr)
            return
        expected = [(v.astype(np.int16) - 128).astype(np.int8) if np.dtype(t) == np.int8 else v
                    for v, t in zip(expected, outputs)]
        self.write(op, model_of(op, inputs, outputs, opset, attributes, constants), inputs, constants, expected,
                   rtol, atol)

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


def qlinear_matmul(c):
    a_type, b_type, y_type = c.byte_type(), c.byte_type(), None
    m, k, n = c.size(1, 40), c.size(1, 200), c.size(1, 40)
    batch = [c.size(1, 3) for _ in range(c.size(0, 2))]
    b_batch = batch if c.bit() else []
    a = c.bytes(a_type, batch + [m, k])
    b = c.bytes(b_type, b_batch + [k, n])
    columns = ([n] if not b_batch else b_batch + [1, n]) if c.bit() else []
    y_type = a_type  # ONNX Runtime wants the same type on both sides
    y_scale = np.float32(np.sqrt(k) * 0.015 * c.random.uniform(0.5, 2))
    c.add("QLinearMatMul", [a, c.scale(), c.zero(a_type), b, c.scale(columns), c.zero(b_type, columns),
                            np.asarray(y_scale), c.zero(y_type)], [y_type], 10 if c.bit() else 21,
          constants=(1, 2, 3, 4, 5, 6, 7) if c.bit() else (1, 2, 4, 5, 6, 7))


def matmul_integer(c):
    a_type, b_type = c.byte_type(), c.byte_type()
    m, k, n = c.size(1, 40), c.size(1, 300), c.size(1, 40)
    batch = [c.size(1, 3)] if c.bit() else []
    columns = [n] if c.bit() and not batch else []
    c.add("MatMulInteger", [c.bytes(a_type, batch + [m, k]), c.bytes(b_type, batch + [k, n]), c.zero(a_type),
                            c.zero(b_type, columns)], [np.int32], 10, constants=(1, 2, 3) if c.bit() else (2, 3))


def conv_inputs(c, spatial, x_type, w_type):
    groups, per_group, filters = c.size(1, 3), c.size(1, 5), c.size(1, 5)
    if c.size(0, 3) == 0:
        groups, per_group, filters = c.size(2, 9), 1, 1
    kernel, attributes, sizes = c.window(spatial)
    attributes["group"] = groups
    x = c.bytes(x_type, [c.size(1, 2), groups * per_group] + sizes)
    w = c.bytes(w_type, [groups * filters, per_group] + kernel)
    return x, w, attributes


def qlinear_conv(c):
    x_type, w_type = c.byte_type(), c.byte_type()
    x, w, attributes = conv_inputs(c, c.size(1, 3), x_type, w_type)
    filters = [w.shape[0]] if c.bit() else []
    y_scale = np.asarray(np.float32(np.sqrt(w[0].size) * 0.015))
    bias = c.random.integers(-3000, 3000, w.shape[0]).astype(np.int32) if c.bit() else None
    c.add("QLinearConv", [x, c.scale(), c.zero(x_type), w, c.scale(filters), c.zero(w_type, filters), y_scale,
                          c.zero(x_type)] + ([bias] if bias is not None else []), [x_type], 10,
          constants=(1, 2, 3, 4, 5, 6, 7) + ((8,) if bias is not None else ()), **attributes)


def conv_integer(c):
    x_type, w_type = c.byte_type(), c.byte_type()
    x, w, attributes = conv_inputs(c, c.size(1, 2), x_type, w_type)
    c.add("ConvInteger", [x, w, c.zero(x_type), c.zero(w_type)], [np.int32], 10, constants=(1, 2, 3), **attributes)


def quantize_linear(c):
    y_type = c.random.choice([np.int8, np.uint8, np.int16, np.uint16])
    shape = [c.size(1, 6) for _ in range(c.size(1, 4))]
    axis = c.size(0, len(shape) - 1)
    x = c.floats(*shape) * np.float32(2)
    x = np.where(c.random.random(shape) < 0.1, np.round(x * 2) / 2, x).astype(np.float32)  # ties for scale 1
    per_axis = [shape[axis]] if c.bit() else []
    scale = c.scale(per_axis) if c.bit() else np.ones(per_axis, np.float32)
    info = np.iinfo(y_type)
    zero = np.asarray(c.random.integers(info.min, info.max + 1, per_axis)).astype(y_type)
    node = model_of("QuantizeLinear", [x, scale, zero], [y_type], 21, {"axis": axis})
    c.write("QuantizeLinear", node, [x, scale, zero], (), run(node, [x, scale, zero]), 0, 0)


def dequantize_linear(c):
    x_type = c.random.choice([np.int8, np.uint8, np.int16, np.uint16])
    shape = [c.size(1, 6) for _ in range(c.size(2, 4))]
    axis = c.size(0, len(shape) - 1)
    info = np.iinfo(x_type)
    x = c.random.integers(info.min, info.max + 1, shape).astype(x_type)
    attributes = {"axis": axis}
    parameters = [shape[axis]] if c.bit() else []
    if c.size(0, 2) == 0:
        attributes["block_size"] = c.size(1, shape[axis])
        parameters = list(shape)
        parameters[axis] = -(-shape[axis] // attributes["block_size"])
    zero = np.asarray(c.random.integers(info.min, info.max + 1, parameters)).astype(x_type)
    inputs = [x, c.scale(parameters), zero]
    node = model_of("DequantizeLinear", inputs, [np.float32], 21, attributes)
    c.write("DequantizeLinear", node, inputs, (), run(node, inputs), 0, 0)


def dynamic_quantize_linear(c):
    x = c.floats(c.size(1, 300)) * np.float32(c.random.uniform(0.01, 100)) + np.float32(c.random.normal())
    c.add("DynamicQuantizeLinear", [x], [np.uint8, np.float32, np.uint8], 11)


def conv(c):
    x, w, attributes = conv_inputs(c, c.size(1, 3), np.int8, np.int8)
    inputs = [c.floats(*x.shape), c.floats(*w.shape)] + ([c.floats(w.shape[0])] if c.bit() else [])
    c.add("Conv", inputs, [np.float32], 11, (1,) if c.bit() else (), 1e-4, 1e-4, **attributes)


def conv_transpose(c):
    spatial = c.size(1, 2)
    kernel, attributes, sizes = c.window(spatial)
    attributes.pop("auto_pad", None)
    groups, per_group = c.size(1, 3), c.size(1, 3)
    attributes["group"] = groups
    if c.bit():
        attributes["output_padding"] = [c.size(0, s - 1) for s in attributes["strides"]]
    if c.size(0, 3) == 0:
        attributes.pop("pads", None)
        attributes.pop("output_padding", None)
        attributes["auto_pad"] = str(c.random.choice(["SAME_UPPER", "SAME_LOWER"]))
        attributes["strides"] = [min(s, k) for s, k in zip(attributes["strides"], kernel)]
    x = c.floats(c.size(1, 2), groups * per_group, *sizes)
    w = c.floats(groups * per_group, c.size(1, 3), *kernel)
    c.add("ConvTranspose", [x, w], [np.float32], 11, (1,) if c.bit() else (), 1e-4, 1e-4, **attributes)


def pool(c):
    spatial = c.size(1, 3)
    kernel, attributes, sizes = c.window(spatial, weights=False)
    op = str(c.random.choice(["MaxPool", "AveragePool", "LpPool"]))
    x = c.floats(c.size(1, 2), c.size(1, 3), *sizes)
    if "auto_pad" not in attributes and c.bit():
        attributes["ceil_mode"] = 1
    outputs = [np.float32]
    if op == "MaxPool":
        outputs += [np.int64] if c.bit() else []
    elif op == "AveragePool" and c.bit():
        attributes["count_include_pad"] = 1
    c.add(op, [x], outputs, 19 if op != "LpPool" else 18, (), 1e-5, 1e-6, **attributes)


def gemm(c):
    m, k, n = c.size(1, 20), c.size(1, 40), c.size(1, 20)
    ta, tb = c.size(0, 1), c.size(0, 1)
    a = c.floats(*([k, m] if ta else [m, k]))
    b = c.floats(*([n, k] if tb else [k, n]))
    forms = [None, [], [1], [n], [1, n], [m, 1], [m, n]]
    form = forms[c.size(0, len(forms) - 1)]
    inputs = [a, b] + ([np.asarray(c.floats(*form))] if form is not None else [])
    attributes = {"transA": ta, "transB": tb}
    if c.bit():
        attributes.update(alpha=float(c.random.normal()), beta=float(c.random.normal()))
    c.add("Gemm", inputs, [np.float32], 13, (1,) if c.bit() else (), 1e-4, 1e-5, **attributes)


def norm(c):
    op = str(c.random.choice(["LayerNormalization", "InstanceNormalization", "BatchNormalization", "LRN",
                              "GroupNormalization"]))
    shape = [c.size(1, 3), 2 * c.size(1, 4), c.size(2, 6), c.size(2, 6)]
    x = c.floats(*shape)
    channels = [c.floats(shape[1]) for _ in range(2)]
    if op == "LayerNormalization":
        axis = c.size(1, 3)
        inputs = [x, c.floats(*shape[axis:]), c.floats(*shape[axis:])]
        c.add(op, inputs, [np.float32], 17, (), 1e-4, 1e-5, axis=axis)
    elif op == "InstanceNormalization":
        c.add(op, [x] + channels, [np.float32], 6, (), 1e-4, 1e-5, epsilon=1e-3)
    elif op == "BatchNormalization":
        c.add(op, [x] + channels + [c.floats(shape[1]), np.abs(c.floats(shape[1]))], [np.float32], 15, (), 1e-4, 1e-5)
    elif op == "LRN":
        c.add(op, [x], [np.float32], 13, (), 1e-4, 1e-5, size=2 * c.size(0, 2) + 1, alpha=0.1, beta=0.6, bias=1.5)
    else:
        c.add(op, [x] + channels, [np.float32], 21, (), 1e-4, 1e-5, num_groups=2)


def recurrent(c):
    op, gates = [("LSTM", 4), ("GRU", 3), ("RNN", 1)][c.size(0, 2)]
    steps, batch, size, hidden = c.size(1, 5), c.size(1, 4), c.size(1, 6), c.size(1, 6)
    direction = str(c.random.choice(["forward", "reverse", "bidirectional"]))
    d = 2 if direction == "bidirectional" else 1
    attributes = {"direction": direction, "hidden_size": hidden}
    lengths = c.random.integers(1, steps + 1, batch).astype(np.int32) if c.bit() else None
    calm = np.float32(0.3)  # keeps states from growing without bound
    inputs = [c.floats(steps, batch, size), c.floats(d, gates * hidden, size), calm * c.floats(d, gates * hidden, hidden),
              c.floats(d, 2 * gates * hidden) if c.bit() else None, lengths,
              c.floats(d, batch, hidden) if c.bit() else None]
    if op == "LSTM":
        inputs += [c.floats(d, batch, hidden) if c.bit() else None, c.floats(d, 3 * hidden) if c.bit() else None]
        if c.size(0, 3) == 0:
            attributes["input_forget"] = 1
    if op == "GRU" and c.bit():
        attributes["linear_before_reset"] = 1
    if c.size(0, 3) == 0:
        attributes["clip"] = 0.7
    if c.size(0, 3) == 0:
        names = ["Relu", "Tanh", "Sigmoid", "Softsign"]  # ONNX Runtime's default alpha of the others is 0
        each = {"LSTM": 3, "GRU": 2, "RNN": 1}[op]
        attributes["activations"] = [str(n) for n in c.random.choice(names, each * d)]
    outputs = [np.float32] * (3 if op == "LSTM" else 2)
    c.add(op, inputs, outputs, 14, (1, 2) if c.bit() else (), 1e-4, 1e-4, **attributes)


KINDS = [recurrent, qlinear_matmul, matmul_integer, qlinear_conv, conv_integer, quantize_linear, dequantize_linear,
         dynamic_quantize_linear, conv, conv_transpose, pool, gemm, norm]


def main():
    folder = sys.argv[1]
    cases = Cases(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 240
    shutil.rmtree(os.path.join(folder, "differential"), ignore_errors=True)
    for i in range(count):
        KINDS[i % len(KINDS)](cases)
    with open(os.path.join(folder, "manifest.txt"), "w") as file:
        file.write("\n".join(cases.lines) + "\n")


main()
