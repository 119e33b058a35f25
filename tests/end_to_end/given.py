"""Models that arrive quantized: a sample model as onnxq and as ONNX Runtime's tool quantize it (Q/DQ, integer operators, dynamic)
is brought into both formats and back to float. Every file must be valid, load in ONNX Runtime at its lowest and highest
optimization level, and give there what it gives in onnxq; parameters stay, bit by bit."""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

SOURCE, ONNXQ = os.environ["ONNXQ_SOURCE"], os.environ["ONNXQ"]
sys.path.insert(0, os.path.join(SOURCE, "bench"))
import common  # noqa: E402
from own import own_outputs  # noqa: E402

CONVERSIONS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}


class Reader(CalibrationDataReader):
    def __init__(self, folder):
        self.items = iter(list(common.samples(folder, "calib"))[:20])

    def get_next(self):
        return next(self.items, None)


def peer_files(model, folder, scratch):
    prepared = os.path.join(scratch, "prepared.onnx")
    quant_pre_process(model, prepared, skip_symbolic_shape=True)
    settings = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "per_channel": True}
    for title, form in (("peer_qdq", QuantFormat.QDQ), ("peer_qoperator", QuantFormat.QOperator)):
        path = os.path.join(scratch, title + ".onnx")
        quantize_static(prepared, path, Reader(folder), quant_format=form, **settings)
        yield title, path
    path = os.path.join(scratch, "peer_dynamic.onnx")
    quantize_dynamic(prepared, path, per_channel=True)
    yield "peer_dynamic", path


def parameters(path):
    """Each scale and zero point that stands at a QuantizeLinear or DequantizeLinear, with its integers when they are constant. As
    numbers, since a zero point of zeros may be left out; once each, since one value may have several readers; as stored, since
    integer operators want some weights transposed."""
    graph = onnx.load(path).graph
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    transposed = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Transpose"}
    found = set()
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            integers = constants.get(transposed.get(node.input[0], node.input[0])) if node.op_type == "DequantizeLinear" else None
            zero = constants[node.input[2]] if len(node.input) > 2 else np.zeros(1)
            found.add((node.op_type, constants[node.input[1]].tobytes(), tuple(zero.astype(int).ravel() if zero.any() else ()),
                       None if integers is None else (str(integers.dtype), integers.shape, integers.tobytes())))
    return found


def check_in_peer(path, images, own, title):
    exact = common.exact_form(path, path + ".exact.onnx")
    for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
        options = ort.SessionOptions()
        options.graph_optimization_level = level
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = ort.InferenceSession(exact, options, providers=["CPUExecutionProvider"])
        peer = np.concatenate([session.run(["logits"], {"image": image[None]})[0] for image in images])
        noise = float(np.sum((own - peer) ** 2) / np.sum(own ** 2))
        assert noise < 10 ** -3.3, f"{title}: {10 * np.log10(noise):.1f} dB from ONNX Runtime at {level}"


def convert(source, target, data, *flags):
    subprocess.run([ONNXQ, "convert", source, target, "--data", data, "-q", *flags], check=True)
    onnx.checker.check_model(onnx.load(target), full_check=True)


def check(name):
    folder = os.path.join(SOURCE, "models", name)
    model, data = os.path.join(folder, "model.onnx"), os.path.join(folder, "calib.npz")
    images = np.load(data)["image"]
    with tempfile.TemporaryDirectory() as scratch:
        files = []
        for form in ("qdq", "qoperator"):
            files.append(("own_" + form, os.path.join(scratch, form + ".onnx")))
            convert(model, files[-1][1], data, "--no-cache", "--format", form)
        files += peer_files(model, folder, scratch)
        floats = own_outputs(model, data, os.path.join(scratch, "floats"))
        for title, given in files:
            out = {form: os.path.join(scratch, f"{title}_{form}.onnx") for form in ("qoperator", "qdq", "float", "again")}
            convert(given, out["qoperator"], data, "--format", "qoperator")
            convert(given, out["qdq"], data, "--format", "qdq")
            convert(given, out["float"], data, "--dequantize")
            if "dynamic" not in title:
                convert(out["qdq"], out["again"], data, "--format", "qoperator")
                convert(out["again"], out["again"], data, "--format", "qdq")
                assert parameters(out["qdq"]) == parameters(out["again"]), f"{name} {title}: parameters changed"
                if title.endswith("qdq"):
                    assert parameters(given) == parameters(out["qdq"]), f"{name} {title}: parameters were not kept"
            for form, path in out.items():
                if not os.path.exists(path):
                    continue
                own = own_outputs(path, data, os.path.join(scratch, f"{title}_{form}"))
                check_in_peer(path, images, own, f"{name} {title} to {form}")
                if form == "float":
                    left = {node.op_type for node in onnx.load(path).graph.node if node.domain or node.op_type in CONVERSIONS}
                    sqnr = 10 * np.log10(np.sum(floats ** 2) / np.sum((floats - own) ** 2))
                    print(f"{name} {title}: float again at {sqnr:.1f} dB")
                    assert not left and sqnr > 22, f"{name} {title}: {left} left, {sqnr:.1f} dB from the float model"


if __name__ == "__main__":
    for sample in sys.argv[1:]:
        check(sample)
