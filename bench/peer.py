#!/usr/bin/env python3
"""Quantizes a model with another tool, as a process of its own so that time and memory can be measured.

    peer.py IN.onnx OUT.onnx CALIBRATION TOOL

TOOL: ort-default (quantize_static as it comes), ort-FORM-METHOD-GRAIN (FORM qdq or qoperator, METHOD minmax, percentile or entropy,
GRAIN channel or tensor; uint8 activations, int8 weights), ort-dynamic, or nncf (its defaults; needs a Python that has nncf).
"""
import os
import sys
import tempfile

import common


class Reader:
    """Samples one by one, as ONNX Runtime's calibrators ask for them."""
    def __init__(self, source):
        folder, part = os.path.split(source)
        self.items = common.samples(folder, part.removesuffix(".npz"))

    def get_next(self):
        return next(self.items, None)


def onnx_runtime(model, out, source, tool):
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process
    with tempfile.TemporaryDirectory() as folder:
        prepared = os.path.join(folder, "prepared.onnx")
        quant_pre_process(model, prepared, skip_symbolic_shape=True)
        if tool == "ort-dynamic":
            return q.quantize_dynamic(prepared, out, per_channel=True)
        reader = type("OrtReader", (Reader, q.CalibrationDataReader), {})(source)
        if tool == "ort-default":
            return q.quantize_static(prepared, out, reader)
        _, form, method, grain = tool.split("-")
        q.quantize_static(prepared, out, reader, quant_format=q.QuantFormat.QDQ if form == "qdq" else q.QuantFormat.QOperator,
                          activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8, per_channel=grain == "channel",
                          calibrate_method={"minmax": q.CalibrationMethod.MinMax, "percentile": q.CalibrationMethod.Percentile,
                                            "entropy": q.CalibrationMethod.Entropy}[method])


def nncf(model, out, source):
    import nncf
    import onnx
    folder, part = os.path.split(source)
    loaded = onnx.load(model)
    wanted = {i.name for i in loaded.graph.input}
    items = [{k: v for k, v in x.items() if k in wanted} for x in common.samples(folder, part.removesuffix(".npz"))]
    onnx.save(nncf.quantize(loaded, nncf.Dataset(items), subset_size=len(items)), out)


def main():
    model, out, source, tool = sys.argv[1:5]
    nncf(model, out, source) if tool == "nncf" else onnx_runtime(model, out, source, tool)


if __name__ == "__main__":
    main()
