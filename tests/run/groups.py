"""Quantize-dequantize models with ONNX Runtime's results, as cases for the conformance program with tolerance 0.

Weights stay within 64: on x86 without VNNI ONNX Runtime's kernels for uint8 x int8 saturate sums of larger ones."""

import os
import shutil
import sys

import numpy as np

try:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)


class Net:
    def __init__(self, rng, signed):
        self.rng, self.type = rng, np.int8 if signed else np.uint8
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def quantize(self, value, scale, zero):
        s, z = self.constant(value + "_scale", np.float32(scale)), self.constant(value + "_zero", self.type(zero))
        return self.node("QuantizeLinear", [value, s, z], value + "_q")

    def dequantize(self, value):
        return self.node("DequantizeLinear", [value + "_q", value + "_scale", value + "_zero"], value + "_d")

    def weights(self, shape, axis):
        self.scales = (self.rng.random(shape[axis]) * 0.01 + 0.001).astype(np.float32)
        w = self.constant("w", self.rng.integers(-64, 65, shape).astype(np.int8))
        s = self.constant("w_scale", self.scales)
        z = self.constant("w_zero", np.zeros(shape[axis], np.int8))
        return self.node("DequantizeLinear", [w, s, z], "w_d", axis=axis)

    def bias(self, x_scale):
        count = len(self.scales)
        b = self.constant("b", self.rng.integers(-2000, 2000, count).astype(np.int32))
        s = self.constant("b_scale", np.float32(x_scale) * self.scales)
        return self.node("DequantizeLinear", [b, s], "b_d", axis=0)


def make(rng, op, shape, weights, axis, bias, signed, relu, quantized, attributes):
    net = Net(rng, signed)
    zero = rng.integers(-20, 20) if signed else rng.integers(100, 150)
    net.quantize("x", 0.02, zero)
    inputs = [net.dequantize("x"), net.weights(weights, axis)] + ([net.bias(0.02)] if bias else [])
    last = net.node(op, inputs, "y", **attributes)
    if relu:
        last = net.node("Relu", [last], "r")
    if quantized:
        net.quantize(last, 0.05, (-128 if signed else 0) if relu else 3)
        last = net.dequantize(last)
    ends = [[helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)]]
    graph = helper.make_graph(net.nodes, op, *ends, net.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write(folder, model, rng):
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data)
    x = rng.standard_normal([d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    files = {"../model.onnx": model, "input_0.pb": numpy_helper.from_array(x),
             "output_0.pb": numpy_helper.from_array(session.run(None, {"x": x})[0])}
    for name, message in files.items():
        with open(os.path.join(data, name), "wb") as file:
            file.write(message.SerializeToString())


def cases():
    """name, operator, shape of x, of the weights, axis of their scales, bias, Q behind it, attributes"""
    padded = {"pads": [1, 1, 1, 1]}
    yield "conv", "Conv", [1, 4, 11, 9], [6, 4, 3, 3], 0, True, True, {**padded, "strides": [2, 1]}
    yield "depthwise", "Conv", [2, 6, 8, 8], [6, 1, 3, 3], 0, True, True, {**padded, "group": 6}
    yield "conv_no_bias", "Conv", [1, 3, 5], [4, 3, 2], 0, False, True, {}
    for quantized in (True, False):
        end = "" if quantized else "_float"
        yield "matmul" + end, "MatMul", [3, 5, 40], [40, 17], 1, False, quantized, {}
        yield "gemm" + end, "Gemm", [9, 40], [40, 17], 1, True, quantized, {}
        yield "gemm_transposed" + end, "Gemm", [9, 40], [17, 40], 0, True, quantized, {"transB": 1}
        yield "gemm_no_bias" + end, "Gemm", [9, 40], [40, 17], 1, False, quantized, {}


def main(target):
    shutil.rmtree(target, ignore_errors=True)
    rng, names = np.random.default_rng(0), []
    for name, op, shape, weights, axis, bias, quantized, attributes in cases():
        for kind in range(4):
            signed, relu = kind % 2 == 1, kind // 2 == 1
            if relu and not quantized:
                continue
            names.append(f"groups/{name}_{'signed' if signed else 'unsigned'}{'_relu' if relu else ''}")
            model = make(rng, op, shape, weights, axis, bias, signed, relu, quantized, attributes)
            write(os.path.join(target, names[-1]), model, rng)
    with open(os.path.join(target, "manifest.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{name} 0 0\n" for name in sorted(names))


if __name__ == "__main__":
    main(sys.argv[1])
