#!/usr/bin/env python3
"""exact_score.py JUDGE FLOAT QUANTIZED DATA [options of the judge]

Runs the judge (a script FLOAT QUANTIZED DATA) on the exact form of QUANTIZED (common.exact_form), which gives the figures of a
machine with VNNI anywhere. Latency is then that of the uint8 x uint8 kernels: take it from the judge alone.
"""
import os
import subprocess
import sys
import tempfile

import common


def main():
    judge, reference, quantized, data, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        exact = common.exact_form(quantized, os.path.join(folder, "exact.onnx"))
        return subprocess.call([sys.executable, judge, reference, exact, data, *rest])


if __name__ == "__main__":
    sys.exit(main())
