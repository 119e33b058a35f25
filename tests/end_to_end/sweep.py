"""The picture of a sweep: well-formed XML with a mark for every figure, whatever the title; and ONNX Runtime gives what the
rows say of the models that convert writes."""
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as tree

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

ONNXQ, SOURCE = os.environ["ONNXQ"], os.environ["ONNXQ_SOURCE"]
MODEL = f"{SOURCE}/models/mlp/model.onnx"
CALIB, EVAL = f"{SOURCE}/models/mlp/calib.npz", f"{SOURCE}/models/mlp/eval.npz"
NAME = "{http://www.w3.org/2000/svg}"
TITLE = "a <b> & \"c\" \x01 'd' \u00fc \ufffe ]]>"


def sweep(folder, *options):
    svg, report = f"{folder}/s.svg", f"{folder}/s.json"
    subprocess.run([ONNXQ, "sweep", MODEL, "--data", CALIB, "--eval", EVAL, "--svg", svg, "--output", report, "-q",
                    *options], check=True)
    return tree.parse(svg).getroot(), json.load(open(report))


def texts(root):
    return ["".join(text.itertext()) for text in root.iter(NAME + "text")]


def check_one_series(folder):
    root, report = sweep(folder, "--bits", "8..4", "--title", TITLE, "--labels", f"{SOURCE}/models/mlp/labels.npy")
    rows = report["widths"]
    assert [row["weight_bits"] for row in rows] == [8, 7, 6, 5, 4], rows
    # SQNR, agreement and accuracy as points, sizes as bars, one more rectangle for the page.
    assert len(list(root.iter(NAME + "circle"))) == 3 * len(rows)
    assert len(list(root.iter(NAME + "rect"))) == len(rows) + 1
    shown = texts(root)
    assert "a <b> & \"c\"   'd' \u00fc ? ]]>" in shown, shown
    for row in rows:
        assert f"{row['sqnr_db']:.1f}" in shown and str(row["weight_bits"]) in shown, row
    height = float(root.get("height"))
    for circle in root.iter(NAME + "circle"):
        assert 0 < float(circle.get("cy")) < height and 0 < float(circle.get("cx")) < float(root.get("width"))


def check_combinations(folder):
    root, report = sweep(folder, "--weight-bits", "8,4", "--activation-bits", "8..6", "--format", "qdq")
    assert len(report["widths"]) == 6
    # Three panels with six points each, and three in the legend.
    assert len(list(root.iter(NAME + "circle"))) == 3 * 6 + 3
    assert {"activations 8 bits", "activations 7 bits", "activations 6 bits"} <= set(texts(root))


def run(path, samples):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: samples[i:i + 1]})[0] for i in range(len(samples))])


def check_against_runtime(folder):
    for width in ("8,8", "4,8", "16,16"):
        weights, activations = width.split(",")
        options = ["--weight-bits", weights, "--activation-bits", activations, "--format", "qdq"]
        row = sweep(folder, *options, "--models", f"{folder}/models")[1]["widths"][0]
        out = f"{folder}/q.onnx"
        subprocess.run([ONNXQ, "convert", MODEL, out, "--data", CALIB, "-q", *options], check=True)
        written = f"{folder}/models/w{weights}a{activations}.onnx"
        assert open(out, "rb").read() == open(written, "rb").read() and os.path.getsize(out) == row["bytes"]
        samples = next(iter(np.load(EVAL).values()))
        y, z = run(MODEL, samples).astype(np.float64), run(out, samples).astype(np.float64)
        sqnr = 10 * np.log10((y ** 2).sum() / ((y - z) ** 2).sum())
        assert abs(sqnr - row["sqnr_db"]) < 0.3, (width, sqnr, row)


def check_wide_bias(folder):
    """A bias far beyond 2^31 times the scale of a 16-bit product: runtimes must not make it int32 of that scale."""
    random = np.random.default_rng(3)
    weight = (random.standard_normal((8, 3, 3, 3)) * 0.01).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w", "b"], ["a"], pads=[1, 1, 1, 1]), helper.make_node("Conv", ["a", "v"], ["y"])], "wide",
        [helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])], [helper.make_tensor_value_info("y", 1, [1, 8, 8, 8])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.eye(8, dtype=np.float32).reshape(8, 8, 1, 1), "v"),
         numpy_helper.from_array(np.linspace(-5, 5, 8).astype(np.float32), "b")])
    path, out, data = f"{folder}/wide.onnx", f"{folder}/wide16.onnx", f"{folder}/wide.npz"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    samples = (random.random((16, 3, 8, 8)) * 0.01).astype(np.float32)
    np.savez(data, x=samples)
    subprocess.run([ONNXQ, "convert", path, out, "--data", data, "--format", "qdq", "--bits", "16", "-q"], check=True)
    onnx.checker.check_model(out, full_check=True)
    assert np.abs(run(path, samples) - run(out, samples)).max() < 1e-3


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_one_series(folder)
        check_combinations(folder)
        check_against_runtime(folder)
        check_wide_bias(folder)
    return 0


sys.exit(main())
