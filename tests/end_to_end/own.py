"""What the scripts of this folder share: a sample model's outputs in onnxq's own runtime."""
import os
import subprocess

import numpy as np

ONNXQ = os.environ["ONNXQ"]


def own_outputs(model, data, folder):
    """The logits of all samples of `data`, in their order; `folder` takes the files."""
    subprocess.run([ONNXQ, "run", model, "--data", data, "-o", folder, "-q"], check=True)
    files = sorted(os.listdir(folder), key=lambda name: int(name.split(".")[0]))
    return np.concatenate([np.load(os.path.join(folder, name))["logits"] for name in files]).astype(np.float64)
