"""Compares our shape inference with onnx.shape_inference (strict, with data propagation) on every model.onnx below a
folder, from which the declared shapes are taken first: nothing may contradict it, and of the operators that we have, we
must know every type and size that it knows."""

import collections
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import onnx
from onnx import TensorProto

NAMES = {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64"}


def official(model):
    """Name to (dtype, None or list of sizes and symbols) of the tensors whose type is known."""
    found = {}
    for info in [*model.graph.value_info, *model.graph.output]:
        if not info.type.HasField("tensor_type"):
            continue
        tensor = info.type.tensor_type
        if not tensor.elem_type:
            continue
        dtype = NAMES.get(tensor.elem_type, TensorProto.DataType.Name(tensor.elem_type).lower())
        dims = None
        if tensor.HasField("shape"):
            dims = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
        found[info.name] = (dtype, dims)
    return found


def parse(text):
    match = re.fullmatch(r"([a-z0-9]+)(?:\[(.*)\])?", text)
    if not match:
        return None
    if match[2] is None:
        return match[1], None
    sizes = [d for d in match[2].split(",") if d]
    if sizes == ["..."] or text.endswith("[*]"):
        return match[1], None
    return match[1], [int(d) if d.isdigit() else None for d in sizes]


def judge(theirs, ours):
    """'', 'contradicts' or 'weaker'."""
    if ours is None:
        return "weaker"
    if theirs[0] != ours[0]:
        return "contradicts"
    if theirs[1] is None:
        return ""
    if ours[1] is None:
        return "weaker"
    if len(theirs[1]) != len(ours[1]):
        return "contradicts"
    worst = ""
    for a, b in zip(theirs[1], ours[1]):
        if a is not None and b is None:
            worst = worst or "weaker"
        elif a is not None and a != b:
            return "contradicts"
    return worst


def main():
    table, program, source = sys.argv[1:4]
    lines = subprocess.run([table], check=True, capture_output=True, text=True).stdout.splitlines()
    operators = {json.loads(line)["name"] for line in lines}
    with tempfile.TemporaryDirectory() as folder:
        return compare(program, strip(source, folder), folder, operators)


def strip(source, folder):
    """Copies of the models without what they declare of inner values and of the shapes of outputs."""
    paths = []
    for path in sorted(glob.glob(os.path.join(source, "**", "*.onnx"), recursive=True)):
        model = onnx.load(path, load_external_data=False)
        del model.graph.value_info[:]
        for output in model.graph.output:
            if output.type.HasField("tensor_type"):
                output.type.tensor_type.ClearField("shape")
        name = os.path.relpath(path, source).replace(os.sep, "!")
        paths.append(os.path.join(folder, name))
        onnx.save(model, paths[-1])
    return paths


def compare(program, paths, folder, operators):
    ours = collections.defaultdict(dict)
    for start in range(0, len(paths), 200):
        run = subprocess.run([program, *paths[start : start + 200]], capture_output=True, text=True, errors="replace")
        for line in run.stdout.splitlines():
            path, name, text = line.split("\t", 2)
            ours[path][name] = text
    counts = collections.Counter()
    for path in paths:
        if "!" in ours[path]:
            counts["not inferred by us"] += 1
            print(f"{os.path.relpath(path, folder)}: {ours[path]['!']}")
            continue
        try:
            model = onnx.shape_inference.infer_shapes(onnx.load(path, load_external_data=False), strict_mode=True,
                                                      data_prop=True)
        except Exception:  # not inferred by the standard's own code: nothing to compare with
            counts["not inferred by onnx"] += 1
            continue
        producers = {o: n.op_type for n in model.graph.node for o in n.output}
        for name, theirs in official(model).items():
            if name not in ours[path]:
                continue
            verdict = judge(theirs, parse(ours[path][name]))
            if verdict == "weaker" and producers.get(name) not in operators:
                counts["of operators that we lack"] += 1
                continue
            counts[verdict or "agree"] += 1
            if verdict:
                print(f"{os.path.relpath(path, folder)}: '{name}' of {producers.get(name)}: {verdict}: "
                      f"onnx {theirs}, ours {ours[path][name]}")
    print(dict(counts))
    return 0 if counts["agree"] and not counts["contradicts"] and not counts["weaker"] else 1


if __name__ == "__main__":
    sys.exit(main())
