#!/usr/bin/env python3
"""The table of accuracy, coverage and speed, whole, in one command: onnxq beside other quantizers on the same data, what each step
of onnxq brings, and whether every file gives the same at the lowest and highest optimization level and in onnxq's own runtime.

    bench/accuracy.py --onnxq build/release/onnxq --models FOLDER --json FILE [--nncf PYTHON] [--set ours,steps,ort,nncf]

FOLDER holds one folder a model: model.onnx, calib.npz and eval.npz (or folders of .npz). Needs onnx, onnxruntime and numpy; NNCF is
measured when --nncf names a Python that has it. FILE keeps every row as soon as it is there; a second run with the same FILE measures
only what is missing, and --show prints it. int: matrix products and convolutions that run in integer kernels in ONNX Runtime,
of all. SQNR over all outputs on eval, agreement with the float model, speed: float latency / quantized latency in ONNX Runtime, one
thread, run in turn. levels: SQNR at the lowest and highest optimization level and in onnxq, on the first 60 samples.
On a machine without VNNI accuracy is taken from the same model with weights as uint8 (the same numbers; see common.py).
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import common

HERE = os.path.dirname(os.path.abspath(__file__))
LEVEL_SAMPLES = 60


def has_option(onnxq, name):
    return name in subprocess.run([onnxq, "help", "convert"], capture_output=True, text=True).stdout


def tools(a):
    """name -> command, by set."""
    def ours(*flags):
        return lambda m, out, source: [a.onnxq, "convert", "--no-cache", m, out, "--data", source, "-q", *flags]

    def peer(tool, python=sys.executable):
        return lambda m, out, source: [python, os.path.join(HERE, "peer.py"), m, out, source, tool]

    sets = {"ours": {f"onnxq {form}": ours("--format", form) for form in ("qoperator", "qdq")},
            "steps": {}, "ort": {}, "nncf": {}}
    sets["ours"]["onnxq qdq per tensor"] = ours("--format", "qdq", "--per-tensor")
    plain = ["--rounding", "nearest"] if has_option(a.onnxq, "--rounding") else []
    for grain, more in (("", []), (" per tensor", ["--per-tensor"])):
        steps = [("minmax", ["--method", "minmax", "--no-correct"] + plain), ("+ range search", ["--no-correct"] + plain),
                 ("+ bias correction", plain)]
        if plain:
            steps.append(("+ rounding", []))
        for step, flags in steps:
            sets["steps"][f"step{grain}: {step}"] = ours("--format", "qdq", *more, *flags)
    sets["ort"]["ONNX Runtime default"] = peer("ort-default")
    for method in ("minmax", "percentile", "entropy"):
        for grain in ("channel", "tensor"):
            for form in ("qdq", "qoperator"):
                sets["ort"][f"ONNX Runtime {form} {method} per {grain}"] = peer(f"ort-{form}-{method}-{grain}")
    sets["ort"]["ONNX Runtime dynamic per channel"] = peer("ort-dynamic")
    if a.nncf:
        sets["nncf"]["NNCF default"] = peer("nncf", a.nncf)
    return {name: command for key in a.set.split(",") for name, command in sets[key].items()}


class Model:
    def __init__(self, folder, scratch):
        self.folder, self.path = folder, common.model_of(folder, scratch)
        self.session = common.session(self.path)
        wanted = {i.name for i in self.session.get_inputs()}
        self.inputs = [{k: v for k, v in x.items() if k in wanted} for x in common.samples(folder, "eval")]
        self.reference = [self.session.run(None, x)[0] for x in self.inputs]


def levels(a, model, quantized):
    """SQNR at the lowest and highest level of ONNX Runtime and in onnxq, on the same few samples."""
    few, wanted = model.inputs[:LEVEL_SAMPLES], model.reference[:LEVEL_SAMPLES]
    found = []
    for lowest in (True, False):
        session = common.session(quantized, lowest=lowest)
        found.append(common.sqnr(wanted, [session.run(None, x)[0] for x in few]))
    run = subprocess.run([a.onnxq, "verify", model.path, quantized, "--data", common.data_source(model.folder, "eval"), "--limit",
                          str(LEVEL_SAMPLES), "--json"], capture_output=True, text=True)
    found.append(json.loads(run.stdout)["outputs"][0]["sqnr_db"] if run.returncode == 0 else None)
    return found


def score(a, model, quantized, row, with_levels):
    exact = quantized if common.has_vnni() else common.exact_form(quantized, quantized + ".exact.onnx")
    session = common.session(exact)
    got = [session.run(None, x)[0] for x in model.inputs]
    row.update(sqnr=common.sqnr(model.reference, got), agree=common.agreement(model.folder, model.reference, got))
    left, integer = common.kernels(quantized)
    row["int"] = f"{integer}/{integer + left}"
    middle = sorted(model.inputs, key=lambda x: sum(v.size for v in x.values()))[len(model.inputs) // 2]
    slow, fast = common.paired_latency(model.session, common.session(quantized), middle)
    row.update(speed=slow / fast, size=os.path.getsize(quantized) / os.path.getsize(model.path))
    if with_levels:
        row["levels"] = levels(a, model, exact)


def measure(a, model, tool, command, scratch):
    out = os.path.join(scratch, "quantized.onnx")
    if os.path.exists(out):
        os.remove(out)
    row = {"model": os.path.basename(model.folder), "tool": tool}
    row["s"], row["mb"], ok, errors = common.measured(command(model.path, out, common.data_source(model.folder, "calib")))
    try:
        if not ok:
            raise RuntimeError("conversion failed: " + (errors.strip().splitlines() or ["killed"])[-1][:120])
        score(a, model, out, row, tool.startswith("onnxq"))
    except Exception as error:
        row["error"] = str(error).splitlines()[0][:160]
    return row


def show(rows):
    print("| model | tool | int | SQNR dB | agreement | speed | size | levels: lowest, highest, onnxq | s | MB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        if "error" in r:
            print(f"| {r['model']} | {r['tool']} | - | {r['error']} | | | | | {r['s']:.1f} | {r['mb']:.0f} |")
            continue
        same = ", ".join("-" if x is None else f"{x:.2f}" for x in r.get("levels", []))
        print(f"| {r['model']} | {r['tool']} | {r['int']} | {r['sqnr']:.2f} | {r['agree']:.3f} | {r['speed']:.2f} | {r['size']:.2f} | "
              f"{same} | {r['s']:.1f} | {r['mb']:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnxq", default="build/release/onnxq")
    parser.add_argument("--models", required=True)
    parser.add_argument("--json", required=True, help="where rows are kept")
    parser.add_argument("--only", help="models whose name holds this")
    parser.add_argument("--set", default="ours,steps,ort,nncf")
    parser.add_argument("--tool", default="", help="tools whose name holds this")
    parser.add_argument("--nncf", help="a Python that has nncf")
    parser.add_argument("--show", action="store_true", help="print what FILE holds, measure nothing")
    a = parser.parse_args()
    rows = json.load(open(a.json)) if os.path.exists(a.json) else []
    with tempfile.TemporaryDirectory() as scratch:
        for folder in [] if a.show else common.model_folders(a.models):
            name = os.path.basename(folder)
            missing = {t: c for t, c in tools(a).items()
                       if a.tool in t and not any(r["model"] == name and r["tool"] == t for r in rows)}
            if (a.only and a.only not in name) or not missing:
                continue
            model = Model(folder, scratch)
            for tool, command in missing.items():
                rows.append(measure(a, model, tool, command, scratch))
                with open(a.json + ".tmp", "w") as file:
                    json.dump(rows, file, indent=1)
                os.replace(a.json + ".tmp", a.json)
    show(sorted(rows, key=lambda r: r["model"]))


if __name__ == "__main__":
    main()
