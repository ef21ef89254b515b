"""Fill a Hugging Face cache with a small Theia of random weights, laid out as the hub's own client lays it out.

Run as a script: ``python theia_standin.py <model name>`` with ``HF_HOME`` set. The weights are noise; the files and the
code that comes with the model are loaded by the same library code as the real ones.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

MODELING = """
import torch
from transformers import PretrainedConfig, PreTrainedModel, ViTConfig, ViTModel


class SmallTheiaConfig(PretrainedConfig):
    model_type = "small_theia"


class SmallTheia(PreTrainedModel):
    config_class = SmallTheiaConfig
    base_model_prefix = "theia"

    def __init__(self, config):
        super().__init__(config)
        self.backbone = torch.nn.Module()
        shape = ViTConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48)
        self.backbone.model = ViTModel(shape, add_pooling_layer=False)
"""


def snapshot(owner_and_name: str) -> Path:
    """Folder of a repository's only revision in the cache, with the reference that points to it."""
    repository = Path(os.environ["HF_HOME"], "hub", "models--" + owner_and_name.replace("/", "--"))
    revision = "0" * 40
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text(revision)
    folder = repository / "snapshots" / revision
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fill(model_name: str, folder: Path | None = None) -> None:
    """Write the model's files, into the cache unless a folder is named."""
    import torch
    from safetensors.torch import save_file

    folder = folder or snapshot(f"theaiinstitute/{model_name}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "modeling_small_theia.py").write_text(MODELING)
    code = "modeling_small_theia."
    config = {
        "model_type": "small_theia",
        "auto_map": {"AutoConfig": code + "SmallTheiaConfig", "AutoModel": code + "SmallTheia"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    scope: dict = {}
    exec(MODELING, scope)
    torch.manual_seed(7)
    model = scope["SmallTheia"](scope["SmallTheiaConfig"]())
    save_file(model.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    (snapshot("facebook/deit-tiny-patch16-224") / "config.json").write_text('{"model_type": "vit"}')


if __name__ == "__main__":
    fill(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None)
