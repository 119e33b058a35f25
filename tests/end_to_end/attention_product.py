"""Both operands of an attention product quantized: [1,4,1024,256] x [1,4,256,1024] of standard normal numbers, independent ones and
a tensor with its own transpose. `onnxq tensor` gives the parameters; its integers, those of QLinearMatMul in onnxq and those in ONNX
Runtime must be the same, and the product must keep 33 dB (29.5 dB for the own transpose, whose diagonal sets the range)."""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

SOURCE, ONNXQ = os.environ["ONNXQ_SOURCE"], os.environ["ONNXQ"]
sys.path.insert(0, os.path.join(SOURCE, "bench"))
import common  # noqa: E402


def quantized(folder, name, array):
    """What the command gives for an array: integers, scale, zero point."""
    source, target = os.path.join(folder, name + ".npy"), os.path.join(folder, name + ".npz")
    np.save(source, array)
    subprocess.run([ONNXQ, "tensor", source, "--bits", "8", "-o", target, "-q"], check=True)
    arrays = np.load(target)
    return arrays["integers"], arrays["scale"], arrays["zero_point"]


def product_model(shapes, parameters, raised):
    """QuantizeLinear on both operands, QLinearMatMul, DequantizeLinear. `raised`: uint8 instead of int8, the same numbers 128
    higher; ONNX Runtime computes those exactly on every machine."""
    kind = TensorProto.UINT8 if raised else TensorProto.INT8
    constants, nodes = [], []
    for name, (_, scale, zero) in zip("aby", parameters):
        zero = (zero.astype(np.int16) + 128).astype(np.uint8) if raised else zero
        constants += [numpy_helper.from_array(scale, name + "_scale"), numpy_helper.from_array(zero, name + "_zero_point")]
    for name in "ab":
        nodes.append(helper.make_node("QuantizeLinear", [name, name + "_scale", name + "_zero_point"], [name + "_quantized"]))
    operands = [f"{name}_{part}" for name in "ab" for part in ("quantized", "scale", "zero_point")]
    nodes.append(helper.make_node("QLinearMatMul", operands + ["y_scale", "y_zero_point"], ["y_quantized"]))
    nodes.append(helper.make_node("DequantizeLinear", ["y_quantized", "y_scale", "y_zero_point"], ["y"]))
    result = shapes[0][:-1] + shapes[1][-1:]
    values = [helper.make_tensor_value_info(n + "_quantized", kind, s) for n, s in zip("aby", (*shapes, result))]
    graph = helper.make_graph(nodes, "product", [helper.make_tensor_value_info(n, 1, s) for n, s in zip("ab", shapes)],
                              [helper.make_tensor_value_info("y", 1, result)] + values, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def check(folder, title, a, b, least):
    product = np.matmul(a, b)
    parameters = [quantized(folder, name, x) for name, x in (("a", a), ("b", b), ("y", product))]
    model, samples = os.path.join(folder, "product.onnx"), os.path.join(folder, "samples.npz")
    onnx.save(product_model((a.shape, b.shape), parameters, False), model)
    np.savez(samples, a=a, b=b)
    subprocess.run([ONNXQ, "run", model, "--data", samples, "-o", os.path.join(folder, "own"), "-q"], check=True)
    own = np.load(os.path.join(folder, "own", "0.npz"))
    assert (own["a_quantized"] == parameters[0][0]).all() and (own["b_quantized"] == parameters[1][0]).all()
    for raised in (True, False) if common.has_vnni() else (True,):
        session = ort.InferenceSession(product_model((a.shape, b.shape), parameters, raised).SerializeToString(),
                                       providers=["CPUExecutionProvider"])
        names = ["a_quantized", "b_quantized", "y_quantized", "y"]
        peer = dict(zip(names, session.run(names, {"a": a, "b": b})))
        for name in names[:3]:
            assert (peer[name].astype(np.int16) - 128 * raised == own[name]).all(), f"{title}: {name} differs"
        assert (peer["y"] == own["y"]).all(), f"{title}: y differs"
    sqnr = 10 * np.log10(np.sum(product.astype(np.float64) ** 2) / np.sum((product.astype(np.float64) - own["y"]) ** 2))
    print(json.dumps({"product": title, "sqnr_db": round(float(sqnr), 2), "least": least}))
    assert sqnr >= least


def main():
    random = np.random.default_rng(6)
    a = random.standard_normal((1, 4, 1024, 256), np.float32)
    b = random.standard_normal((1, 4, 256, 1024), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        check(folder, "independent operands", a, b, 33)
        check(folder, "a tensor and its own transpose", a, np.ascontiguousarray(np.swapaxes(a, -1, -2)), 29.5)


if __name__ == "__main__":
    main()
