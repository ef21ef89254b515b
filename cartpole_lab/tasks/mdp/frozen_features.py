"""Isaac Lab's ``image_features`` with a say in where the frozen network's weights come from."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from isaaclab.envs.mdp import image_features
from isaaclab.managers import ObservationTermCfg, SceneEntityCfg

from cartpole_lab.errors import UserError
from cartpole_lab.replaced import replaced
from cartpole_lab.tasks.server_files import unreachable

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedEnv

HUB_TIMEOUT_S = 10.0
"""Longest wait for a hub before it counts as out of reach [s]."""

_THEIA_OWNER = "theaiinstitute"
# the network that Theia-Tiny is built around; its settings are a repository of their own
_THEIA_BACKBONE = "facebook/deit-tiny-patch16-224"
_DRY_RUN = "For a dry run without it: env.observations.policy.image.params.weights=random"


class frozen_image_features(image_features):
    """What a frozen network makes of the camera's picture.

    Everything that happens to a picture is Isaac Lab's :class:`isaaclab.envs.mdp.image_features`; only the loading
    asks first whether the weights are there.

    Args:
        weights: ``"pretrained"`` takes the usual weights, from this machine's cache or from the usual hub;
            ``"random"`` fills the network with noise, always the same, for a dry run; anything else is the path of a
            downloaded file (ResNet) or folder (Theia).

    The other arguments are those of Isaac Lab's term. ``model_device=None`` follows the environment.

    Raises:
        UserError: The weights are not there and the hub doesn't answer: what is missing, where a downloaded file
            goes, and how to go on without.
    """

    def __init__(self, cfg: ObservationTermCfg, env: ManagerBasedEnv) -> None:
        # before Isaac Lab's constructor, which loads the model
        self._weights: str = cfg.params.get("weights", "pretrained")
        if cfg.params.get("model_device") is None:
            cfg.params["model_device"] = env.device
        super().__init__(cfg, env)
        self._model.requires_grad_(False)

    def __call__(
        self,
        env: ManagerBasedEnv,
        sensor_cfg: SceneEntityCfg = SceneEntityCfg("tiled_camera"),  # noqa: B008 - Isaac Lab reads the defaults
        data_type: str = "rgb",
        convert_perspective_to_orthogonal: bool = False,
        model_zoo_cfg: dict[str, Any] | None = None,
        model_name: str = "resnet18",
        model_device: str | None = None,
        inference_kwargs: dict[str, Any] | None = None,
        weights: str = "pretrained",
    ) -> torch.Tensor:
        """Features of the latest picture, shape ``(num_envs, features)``, on the environment's device."""
        with torch.no_grad():
            return super().__call__(
                env,
                sensor_cfg,
                data_type,
                convert_perspective_to_orthogonal,
                model_zoo_cfg,
                model_name,
                model_device,
                inference_kwargs,
            )

    def _prepare_resnet_model(self, model_name: str, model_device: str) -> dict[str, Any]:
        prepared = super()._prepare_resnet_model(model_name, model_device)
        if self._weights == "pretrained":
            _require_resnet(model_name)
        else:
            prepared["model"] = functools.partial(_own_resnet, model_name, self._weights, model_device)
        return prepared

    def _prepare_theia_transformer_model(self, model_name: str, model_device: str) -> dict[str, Any]:
        prepared = super()._prepare_theia_transformer_model(model_name, model_device)
        if self._weights == "pretrained":
            prepared["model"] = functools.partial(_hub_theia, model_name, prepared["model"])
        else:
            prepared["model"] = functools.partial(_own_theia, self._weights, model_device)
        return prepared


##
# ResNet: one file, kept by PyTorch
##


def _require_resnet(model_name: str) -> None:
    """Raise unless the weights are in PyTorch's cache or can be fetched."""
    from torchvision import models

    url = models.get_model_weights(model_name).IMAGENET1K_V1.url
    cached = Path(torch.hub.get_dir(), "checkpoints", Path(url).name)
    if cached.is_file():
        return
    reason = unreachable([url], HUB_TIMEOUT_S).get(url)
    if reason:
        raise UserError(
            f"the weights of {model_name} are not on this machine and cannot be fetched: {url} ({reason}). "
            f"Put the file, downloaded elsewhere, at {cached}, or name it: "
            f"env.observations.policy.image.params.weights=/path/to/{cached.name}. {_DRY_RUN}"
        )


def _own_resnet(model_name: str, weights: str, device: str) -> torch.nn.Module:
    """A ResNet with weights from a file, or with noise."""
    from torchvision import models

    with _fixed_noise():
        model = getattr(models, model_name)(weights=None)
    if weights != "random":
        file = Path(weights).expanduser()
        if not file.is_file():
            raise UserError(f"weights {weights!r} is not a file: expected pretrained, random or a .pth of {model_name}")
        try:
            model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        except Exception as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"{file} does not hold the weights of {model_name}: {reason[:160]}") from error
    return model.eval().to(device)


##
# Theia: two repositories, kept by Hugging Face
##


def _hub_theia(model_name: str, load: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Load Theia through Isaac Lab's own code, from Hugging Face's cache where its server is out of reach."""
    from huggingface_hub import constants, try_to_load_from_cache

    wanted = {
        f"{_THEIA_OWNER}/{model_name}": ("config.json", "model.safetensors"),
        _THEIA_BACKBONE: ("config.json",),
    }
    missing = [
        f"{repo}/{file}"
        for repo, files in wanted.items()
        for file in files
        if not isinstance(try_to_load_from_cache(repo, file), str)
    ]
    offline = constants.HF_HUB_OFFLINE
    reason = "HF_HUB_OFFLINE is set"
    if not offline:
        probe = f"{constants.ENDPOINT}/{_THEIA_OWNER}/{model_name}/resolve/main/config.json"
        reason = unreachable([probe], HUB_TIMEOUT_S).get(probe, "")
    if missing and reason:
        raise UserError(
            f"{model_name} is not on this machine and cannot be fetched from {constants.ENDPOINT} ({reason}). "
            f"Missing: {', '.join(missing)}. On a machine with a network run `hf download {_THEIA_OWNER}/{model_name}` "
            f"and `hf download {_THEIA_BACKBONE}`, then copy its cache folder to {constants.HF_HUB_CACHE}; or name a "
            f"downloaded folder: env.observations.policy.image.params.weights=/path/to/{model_name}. {_DRY_RUN}"
        )
    with replaced(constants, HF_HUB_OFFLINE=offline or bool(reason)):  # a server that does not answer is not asked
        return load()


def _own_theia(weights: str, device: str) -> torch.nn.Module:
    """Theia from a downloaded folder, or a network of Theia-Tiny's shape filled with noise."""
    if weights == "random":
        return _noise_theia().eval().to(device)
    folder = Path(weights).expanduser()
    if not (folder / "config.json").is_file():
        raise UserError(
            f"weights {weights!r} is not a folder with a config.json: expected pretrained, random or the folder that "
            f"`hf download {_THEIA_OWNER}/theia-tiny-patch16-224-cddsv --local-dir …` fills"
        )
    from transformers import AutoConfig
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    # the folder brings the model's code along, as the hub does: name only a folder that you trust
    path = os.fspath(folder)
    config = AutoConfig.from_pretrained(path, trust_remote_code=True)
    theia = get_class_from_dynamic_module(config.auto_map["AutoModel"], path)
    # Theia's code is older than Transformers 5, which wants this attribute, and which builds models without memory
    # first, where Theia cannot build its backbone
    compatible: Any = type(
        theia.__name__,
        (theia,),
        {"all_tied_weights_keys": {}, "get_init_context": classmethod(lambda cls, *args, **kwargs: [])},
    )
    return compatible.from_pretrained(path, config=config).eval().to(device)


def _noise_theia() -> torch.nn.Module:
    """The transformer inside Theia-Tiny, found where Isaac Lab's code looks for it: ``model.backbone.model``."""
    from transformers import ViTConfig, ViTModel

    with _fixed_noise():
        transformer = ViTModel(
            ViTConfig(hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768),
            add_pooling_layer=False,
        )
    model, model.backbone = torch.nn.Module(), torch.nn.Module()
    model.backbone.model = transformer
    return model


@contextlib.contextmanager
def _fixed_noise() -> Iterator[None]:
    """The same random weights every time, without touching the random stream of the training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
