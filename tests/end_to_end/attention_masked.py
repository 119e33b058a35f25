"""Attention of rank 4 with a mask, both products of activations quantized as --no-guards has it: every product runs on integers, the
mask and Softmax are handled, the result is valid ONNX and in ONNX Runtime what it is in onnxq, in the format given."""
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

HEADS, LENGTH, WIDTH = 4, 16, 32
RANDOM = np.random.default_rng(3)


def make_model(path, lowest):
    node, each = helper.make_node, WIDTH // HEADS
    nodes = [node("Cast", ["mask"], ["kept"], to=TensorProto.FLOAT), node("Sub", ["one", "kept"], ["left_out"]),
             node("Mul", ["left_out", "lowest"], ["bias"])]
    for name, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        nodes += [node("MatMul", ["x", "w_" + name], [name + "_flat"], name="project_" + name),
                  node("Reshape", [name + "_flat", "heads"], [name + "_heads"]),
                  node("Transpose", [name + "_heads"], [name], perm=perm)]
    nodes += [node("MatMul", ["q", "k"], ["products"], name="scores"), node("Div", ["products", "root"], ["scaled"]),
              node("Add", ["scaled", "bias"], ["masked"]), node("Softmax", ["masked"], ["shares"], axis=-1),
              node("MatMul", ["shares", "v"], ["taken"], name="context"), node("Transpose", ["taken"], ["turned"], perm=[0, 2, 1, 3]),
              node("Reshape", ["turned", "flat"], ["joined"]), node("MatMul", ["joined", "w_o"], ["y"], name="project_o")]
    constants = {"one": np.float32(1), "lowest": np.float32(lowest), "root": np.float32(each ** .5),
                 "heads": np.array([0, LENGTH, HEADS, each]), "flat": np.array([0, LENGTH, WIDTH])}
    constants |= {"w_" + n: (RANDOM.standard_normal((WIDTH, WIDTH)) / WIDTH ** .5).astype(np.float32) for n in "qkvo"}
    graph = helper.make_graph(nodes, "attention", [helper.make_tensor_value_info("x", 1, ["N", LENGTH, WIDTH]),
                                                   helper.make_tensor_value_info("mask", TensorProto.INT64, ["N", 1, 1, LENGTH])],
                              [helper.make_tensor_value_info("y", 1, ["N", LENGTH, WIDTH])],
                              [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def samples(path, count):
    x = RANDOM.standard_normal((count, LENGTH, WIDTH)).astype(np.float32)
    mask = (np.arange(LENGTH) < RANDOM.integers(3, LENGTH + 1, (count, 1, 1, 1))).astype(np.int64)
    np.savez(path, x=x, mask=mask)
    return x, mask


def judge(form, lowest, scratch):
    model, calib, data, quantized = (os.path.join(scratch, n) for n in ("model.onnx", "calib.npz", "eval.npz", "quantized.onnx"))
    make_model(model, lowest)
    samples(calib, 64)
    x, mask = samples(data, 40)
    report = json.loads(subprocess.run([ONNXQ, "convert", model, quantized, "--no-guards", "--format", form, "--data", calib, "--no-cache",
                                        "--json"], check=True, capture_output=True, text=True).stdout)
    plan = report["plan"]
    assert plan["products"] == plan["quantized"] == 6, [n for n in plan["nodes"] if n["fate"] == "float"]
    written = onnx.load(quantized)
    onnx.checker.check_model(written, full_check=True)
    assert {o.domain for o in written.opset_import} == {""}, "not standard ONNX"
    own = os.path.join(scratch, "own")
    subprocess.run([ONNXQ, "run", quantized, "--data", data, "-o", own, "-q"], check=True)
    mine = np.concatenate([np.load(os.path.join(own, f"{i}.npz"))["y"] for i in range(len(x))])
    reference = ort.InferenceSession(model).run(None, {"x": x, "mask": mask})[0]
    exact = common.exact_form(quantized, quantized + ".exact.onnx")
    step = (mine.max() - mine.min()) / 255
    for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
        options = ort.SessionOptions()
        options.graph_optimization_level = level
        session = ort.InferenceSession(exact, options, providers=["CPUExecutionProvider"])
        peer = np.concatenate([session.run(None, {"x": x[i:i + 1], "mask": mask[i:i + 1]})[0] for i in range(len(x))])
        far = np.abs(mine - peer)
        same = float(np.mean(far < 1e-4 * np.abs(mine).max()))
        assert far.max() <= 2 * step and same > .97, f"{form} {level}: differs by {far.max() / step:.2f} steps, {same:.4f} the same"
    sqnr = 10 * np.log10((reference ** 2).sum() / ((reference - mine) ** 2).sum())
    print(f"{form}, masked by {lowest:g}: SQNR {sqnr:.1f} dB")
    assert sqnr > 28


for lowest_number in (-1e4, -3.4028235e38):
    with tempfile.TemporaryDirectory() as folder:
        judge(sys.argv[1], lowest_number, folder)
