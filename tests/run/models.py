"""Whole models: onnxq and ONNX Runtime on the same samples, within 1e-4 of each output's largest magnitude.

    models.py ONNXQ FOLDER...

Below each folder every model.onnx counts that has samples beside it: calib.npz or eval.npz (first axis = samples), calib/
with an .npz a sample, or test_data_set_* folders. Prints the worst difference of every model."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

LIMIT = 1e-4
MOST_SAMPLES = 8


def tensor_of(path):
    tensor = onnx.TensorProto()
    with open(path, "rb") as file:
        tensor.ParseFromString(file.read())
    return numpy_helper.to_array(tensor)


def samples(folder, inputs, scratch):
    """(what onnxq gets as --data, list of inputs by name), or None."""
    for name in ("calib.npz", "eval.npz"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            arrays = {i.name: np.load(path)[i.name][:MOST_SAMPLES] for i in inputs}
            np.savez(os.path.join(scratch, name), **arrays)
            count = len(next(iter(arrays.values())))
            return os.path.join(scratch, name), [{k: v[s:s + 1] for k, v in arrays.items()} for s in range(count)]
    files = sorted(glob.glob(os.path.join(folder, "calib", "*.npz")))[:MOST_SAMPLES]  # one sample each
    if files:
        os.makedirs(os.path.join(scratch, "samples"))
        for path in files:
            shutil.copy(path, os.path.join(scratch, "samples"))
        return os.path.join(scratch, "samples"), [{i.name: np.load(path)[i.name] for i in inputs} for path in files]
    sets = sorted(glob.glob(os.path.join(folder, "test_data_set_*")))
    given = [{i.name: tensor_of(os.path.join(s, f"input_{k}.pb")) for k, i in enumerate(inputs)} for s in sets]
    return (folder, given) if given else None


def worst(program, model, folder):
    """The largest difference over all samples and outputs, as a share of the output's largest magnitude."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with tempfile.TemporaryDirectory() as scratch:
        found = samples(folder, session.get_inputs(), scratch)
        if not found:
            return None
        source, given = found
        out = os.path.join(scratch, "out")
        subprocess.run([program, "run", model, "--data", source, "--output", out, "-q"], check=True)
        most = 0.0
        for k, path in enumerate(sorted(glob.glob(os.path.join(out, "*.npz")))):
            ours = np.load(path)
            for output, theirs in zip(session.get_outputs(), session.run(None, given[k])):
                a, b = ours[output.name].astype(float), np.asarray(theirs).astype(float)
                scale = np.abs(b).max() if b.size else 0
                most = max(most, float(np.abs(a.reshape(b.shape) - b).max() / scale) if scale else 0.0)
        return most


def main():
    program, *folders = sys.argv[1:]
    models, failed = 0, 0
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, "**", "model.onnx"), recursive=True)):
            share = worst(program, path, os.path.dirname(path))
            if share is None:
                continue
            models += 1
            failed += not share <= LIMIT
            print(f"{os.path.basename(os.path.dirname(path))}: {share:.2e}{'' if share <= LIMIT else '  TOO FAR'}", flush=True)
    print(f"{models} models, {failed} further than {LIMIT} from ONNX Runtime")
    return 1 if failed or not models else 0


if __name__ == "__main__":
    sys.exit(main())
