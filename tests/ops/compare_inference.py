"""Compares our shape inference with onnx.shape_inference (strict, with data propagation) on every .onnx file below the
folders given, from which the declared shapes are taken first: nothing may contradict it, and of the operators that we
have, we must know every type, size and symbol that it knows. We may know more.

    compare_inference.py DUMP_TABLE DUMP_TYPES FOLDER...

Each model is compared as it is, and once more with the sizes of its inputs written as symbols (equal sizes as equal
symbols), which is where shape arithmetic has to be followed without numbers."""

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


def size_of(dim):
    """An int, a symbol or None; negative sizes and the symbols that onnx makes up say nothing."""
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None
    return None if dim.dim_param.startswith("unk__") else dim.dim_param or None


def official(model):
    """Name to (dtype, None or list of sizes) of the tensors whose type is known."""
    found = {}
    for info in [*model.graph.value_info, *model.graph.output]:
        tensor = info.type.tensor_type
        if not info.type.HasField("tensor_type") or not tensor.elem_type:
            continue
        dtype = NAMES.get(tensor.elem_type, TensorProto.DataType.Name(tensor.elem_type).lower())
        found[info.name] = (dtype, [size_of(d) for d in tensor.shape.dim] if tensor.HasField("shape") else None)
    return found


def parse(text):
    match = re.fullmatch(r"([a-z0-9]+)(?:\[(.*)\])?", text)
    if not match:
        return None
    sizes = [d for d in (match[2] or "").split(",") if d]
    if match[2] is None or sizes == ["..."]:
        return match[1], None
    return match[1], [int(d) if d.isdigit() else None if d == "?" else d for d in sizes]


def judge(theirs, ours, op):
    """'agree', 'more' (we know a size that they do not), 'weaker' or 'contradicts'."""
    if ours is None:
        return "weaker"
    if theirs[0] != ours[0]:
        return "contradicts"
    if theirs[1] is None or ours[1] is None:
        return "agree" if theirs[1] == ours[1] else "more" if theirs[1] is None else "weaker"
    if len(theirs[1]) != len(ours[1]):
        return "contradicts"
    verdicts = {"agree"}
    for a, b in zip(theirs[1], ours[1]):
        if isinstance(a, int) and isinstance(b, int) and a != b:
            verdicts.add("contradicts")
        elif a == 0 and not isinstance(b, int) and op == "Attention":  # onnx takes unknown sizes for 0 there
            verdicts.add("more")
        elif a is not None and (b is None or (isinstance(a, int) and isinstance(b, str))):
            verdicts.add("weaker")
        elif a != b:  # a number for a symbol, anything for nothing, or another symbol of the same size
            verdicts.add("more")
    return next(v for v in ("contradicts", "weaker", "more", "agree") if v in verdicts)


def bare(model):
    """Without what the file declares of inner values and of the shapes of outputs."""
    del model.graph.value_info[:]
    for output in model.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.ClearField("shape")


def symbolic(model):
    """Sizes of inputs above 1 as symbols, those of integer lists left: the ranks of other inputs hang on them."""
    constant = {i.name for i in model.graph.initializer}
    changed = False
    for info in model.graph.input:
        tensor = info.type.tensor_type
        if info.name in constant or (tensor.elem_type == TensorProto.INT64 and len(tensor.shape.dim) == 1):
            continue
        for dim in tensor.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value > 1:
                dim.dim_param = f"size{dim.dim_value}"
                changed = True
    return changed


def strip(sources, folder):
    """Copies of the models to compare."""
    paths = []
    for source in sources:
        for path in sorted(glob.glob(os.path.join(source, "**", "*.onnx"), recursive=True)):
            model = onnx.load(path, load_external_data=False)
            bare(model)
            name = os.path.relpath(path, source).replace(os.sep, "!")
            for form in ("", "symbolic!"):
                if form and not symbolic(model):
                    continue
                paths.append(os.path.join(folder, form + name))
                onnx.save(model, paths[-1])
    return paths


def ours_of(program, paths):
    found = collections.defaultdict(dict)
    for start in range(0, len(paths), 200):
        run = subprocess.run([program, *paths[start : start + 200]], capture_output=True, text=True, errors="replace")
        for line in run.stdout.splitlines():
            path, name, text = line.split("\t", 2)
            found[path][name] = text
    return found


def compare(program, paths, folder, operators):
    ours, counts = ours_of(program, paths), collections.Counter()
    for path in paths:
        shown = os.path.relpath(path, folder)
        try:
            model = onnx.shape_inference.infer_shapes(onnx.load(path, load_external_data=False), strict_mode=True,
                                                      data_prop=True)
        except Exception:  # not inferred by the standard's own code: nothing to compare with
            counts["not inferred by onnx"] += 1
            continue
        if "!" in ours[path]:
            counts["not inferred by us"] += 1
            print(f"{shown}: {ours[path]['!']}")
            continue
        producers = {o: n.op_type for n in model.graph.node for o in n.output}
        for name, theirs in official(model).items():
            if name not in ours[path]:
                continue
            verdict = judge(theirs, parse(ours[path][name]), producers.get(name))
            if verdict == "weaker" and producers.get(name) not in operators:
                verdict = "of operators that we lack"
            counts[verdict] += 1
            if verdict in ("weaker", "contradicts"):
                print(f"{shown}: '{name}' of {producers.get(name)}: {verdict}: onnx {theirs}, ours {ours[path][name]}")
    print(dict(counts))
    bad = counts["contradicts"] + counts["weaker"] + counts["not inferred by us"]
    return 0 if counts["agree"] and not bad else 1


def main():
    table, program, *sources = sys.argv[1:]
    lines = subprocess.run([table], check=True, capture_output=True, text=True).stdout.splitlines()
    operators = {json.loads(line)["name"] for line in lines}
    with tempfile.TemporaryDirectory() as folder:
        return compare(program, strip(sources, folder), folder, operators)


if __name__ == "__main__":
    sys.exit(main())
