"""A small language model whose output layer is its table of embeddings: stored once at 8, 4 and 2 bits, valid ONNX, the same in ONNX
Runtime as in onnxq; also beside static quantization."""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ONNXQ = os.environ["ONNXQ"]
ROWS, COLUMNS, LENGTH = 700, 50, 12
RANDOM = np.random.default_rng(1)


def make_model(path, rows, tied, twin=False):
    """tied: the output layer reads the table; twin: a transposed copy of it, but for one row of zeros."""
    node = helper.make_node
    nodes = [node("Gather", ["table", "ids"], ["e"], name="embed"), node("MatMul", ["e", "w"], ["h"], name="inner"),
             node("Relu", ["h"], ["r"]), node("Add", ["r", "e"], ["s"]),
             *([node("Transpose", ["table"], ["t"], perm=[1, 0])] if tied else []),
             node("MatMul", ["s", "t"], ["logits"], name="output")]
    weights = {"table": RANDOM.standard_normal((rows, COLUMNS)), "w": RANDOM.standard_normal((COLUMNS, COLUMNS)) / 7}
    if twin:
        weights["t"] = weights["table"].T.copy()
        weights["t"][:, 3] = 0
    elif not tied:
        weights["t"] = RANDOM.standard_normal((COLUMNS, 30))
    graph = helper.make_graph(nodes, "embeddings", [helper.make_tensor_value_info("ids", TensorProto.INT64, ["N", LENGTH])],
                              [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", LENGTH, rows if tied or twin else 30])],
                              [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def judge(model, data, ids, flags, least, scratch):
    quantized, own = os.path.join(scratch, "quantized.onnx"), os.path.join(scratch, "own")
    subprocess.run([ONNXQ, "convert", model, quantized, "-q", "--no-cache", *flags], check=True)
    written = onnx.load(quantized)
    onnx.checker.check_model(written, full_check=True)
    assert {o.domain for o in written.opset_import} == {""}, "not standard ONNX"
    subprocess.run([ONNXQ, "run", quantized, "--data", data, "-o", own, "-q"], check=True)
    mine = np.concatenate([np.load(os.path.join(own, f"{i}.npz"))["logits"] for i in range(len(ids))])
    reference = ort.InferenceSession(model).run(None, {"ids": ids})[0]
    options = ort.SessionOptions()
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
        options.graph_optimization_level = level
        options.optimized_model_filepath = os.path.join(scratch, "optimized.onnx")
        peer = ort.InferenceSession(quantized, options, providers=["CPUExecutionProvider"]).run(None, {"ids": ids})[0]
        far = np.abs(mine - peer).max() / np.abs(peer).max()
        assert far < (1e-4 if "weight-only" in flags else 2e-2), f"{flags} {level}: differs by {far:.2g} of the largest output"
    kinds = [node.op_type for node in onnx.load(os.path.join(scratch, "optimized.onnx")).graph.node]
    assert "MatMulInteger" not in kinds, f"{flags}: sums and scales are not one kernel: {sorted(set(kinds))}"
    sqnr = 10 * np.log10((reference ** 2).sum() / ((reference - mine) ** 2).sum())
    share = os.path.getsize(quantized) / os.path.getsize(model)
    print(f"{' '.join(flags)}: {share:.3f} of the float file, SQNR {sqnr:.1f} dB")
    assert sqnr > least, f"{flags}: {sqnr:.1f} dB"
    return share


def main():
    with tempfile.TemporaryDirectory() as scratch:
        model, data = os.path.join(scratch, "model.onnx"), os.path.join(scratch, "data.npz")
        make_model(model, ROWS, True)
        ids = RANDOM.integers(0, ROWS, (20, LENGTH))
        np.savez(data, ids=ids)
        only = ["--mode", "weight-only", "--embeddings"]
        limits = {"8": (35, .35), "4": (13, .25), "2": (1, .2)}
        for width, (least, most) in limits.items():
            share = judge(model, data, ids, [*only, width], least, scratch)
            assert share < most, f"{width} bits take {share:.3f} of the float file: stored twice?"
        judge(model, data, ids, [*only, "4", "--weight-asymmetric"], 13, scratch)
        for more in ([], ["--weight-asymmetric"]):
            share = judge(model, data, ids, [*only, "4", "--group-size", "25", *more], 18, scratch)
            assert share < .25, f"groups of 25: {share:.3f} of the float file"
        judge(model, data, ids, [*only, "8", "--weight-type", "uint8", "--per-tensor"], 25, scratch)
        # The output layer on integers and the table share one copy of them, whatever rounded them.
        static = ["--mode", "static", "--data", data, "--embeddings", "8"]
        for mode in (static, [*static, "--format", "qdq"], [*static, "--rounding", "nearest"],
                     ["--mode", "dynamic", "--embeddings", "8"]):
            share = judge(model, data, ids, mode, 25, scratch)
            assert share < .38, f"{mode}: {share:.3f} of the float file: stored twice?"
        make_model(model, ROWS, False, twin=True)
        assert judge(model, data, ids, static, 25, scratch) > .22, "other numbers than the table's are taken for it"
        # Nobody asked: large tables are stored where that costs next to nothing beside what the rest loses.
        make_model(model, 2 * ROWS, False)
        static, narrow = ["--mode", "static", "--data", data], ["--weight-bits", "5"]
        for mode in ([*static, *narrow], [*static, *narrow, "--format", "qdq"], ["--mode", "dynamic"]):
            assert judge(model, data, ids, mode, 15, scratch) < .32, f"{mode}: the table is stored in floats"
            assert judge(model, data, ids, [*mode, "--embeddings", "float"], 15, scratch) > .9
        assert judge(model, data, ids, static, 25, scratch) > .9, "the table costs more than .2 dB"
        assert judge(model, data, ids, [*static, "--bits", "16", "--format", "qdq"], 40, scratch) > .9


if __name__ == "__main__":
    sys.exit(main())
