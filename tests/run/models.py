"""Whole models: onnxq and ONNX Runtime on the same samples, within 1e-4 of each output's largest magnitude.

Networks whose weights are constant fills, as the light ones of the onnx wheel are, get random weights first (up to MOST_WEIGHTS
of them): with one number for all weights of a layer most differences cancel.

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
MOST_WEIGHTS = 32 << 20


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


def with_random_weights(path, scratch):
    """A copy of the model with random numbers in place of weights that ConstantOfShape makes, or `path` when there are none."""
    model = onnx.load(path)
    graph = model.graph
    shapes = {i.name: tuple(int(n) for n in numpy_helper.to_array(i)) for i in graph.initializer if i.data_type == onnx.TensorProto.INT64}
    fills = [n for n in graph.node if n.op_type == "ConstantOfShape" and n.input[0] in shapes]
    if not fills or sum(int(np.prod(shapes[n.input[0]])) for n in fills) > MOST_WEIGHTS:
        return path
    random = np.random.default_rng(1)
    for node in fills:
        shape = shapes[node.input[0]]
        # Scales and variances lie around 1; a product keeps the magnitude of its input.
        fill = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else random.uniform(0.5, 1.5, shape)
        graph.initializer.append(numpy_helper.from_array(fill.astype(np.float32), node.output[0]))
        graph.node.remove(node)
    # What lies before a softmax says more than the softmax.
    for node in graph.node:
        if node.op_type == "Softmax":
            graph.output.append(onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, None))
    copy = os.path.join(scratch, "model.onnx")
    onnx.save(model, copy)
    return copy


def worst(program, model, folder):
    """The largest difference over all samples and outputs, as a share of the output's largest magnitude."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as scratch:
        model = with_random_weights(model, scratch)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
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
