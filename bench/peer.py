#!/usr/bin/env python3
"""Quantizes a model with ONNX Runtime's own tool, as a process of its own so that time and memory can be measured.

    peer.py IN.onnx OUT.onnx CALIBRATION {qdq,qoperator} {default,u8s8}
"""
import os
import sys
import tempfile

from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import common


class Reader(CalibrationDataReader):
    def __init__(self, source):
        folder, part = os.path.split(source)
        self.items = common.samples(folder, part.removesuffix(".npz"))

    def get_next(self):
        return next(self.items, None)


def main():
    model, out, source, form, kind = sys.argv[1:6]
    with tempfile.TemporaryDirectory() as folder:
        prepared = os.path.join(folder, "prepared.onnx")
        quant_pre_process(model, prepared, skip_symbolic_shape=True)
        settings = {} if kind == "default" else {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8,
                                                 "per_channel": True}
        quantize_static(prepared, out, Reader(source), quant_format=QuantFormat.QDQ if form == "qdq" else QuantFormat.QOperator,
                        **settings)


if __name__ == "__main__":
    main()
