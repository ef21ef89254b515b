# Copyright (c) 2022-2026, The Isaac Lab Project Developers.
# Copyright (c) 2026, the Cartpole Lab developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The cart-pole seen through a camera: pictures, or what a frozen network makes of them, instead of four numbers."""

from __future__ import annotations

import math

import isaaclab.sim as sim_utils
from isaaclab.managers import ObservationGroupCfg as ObsGroup
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.managers import SceneEntityCfg
from isaaclab.sensors import CameraCfg
from isaaclab.utils import configclass
from isaaclab.visualizers import VisualizerCfg
from isaaclab_tasks.utils.presets import MultiBackendRendererCfg

from cartpole_lab.tasks import mdp
from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg, CartpoleSceneCfg, ObservationsCfg

##
# Scene
##


@configclass
class CartpoleCameraCfg(CameraCfg):
    """A camera in front of the rail, at its height, that sees 4.4 m of it: the cart leaves the picture at ±2.2 m."""

    prim_path: str = "{ENV_REGEX_NS}/Camera"
    # 5 m in front of the rail, looking along +x
    offset: CameraCfg.OffsetCfg = CameraCfg.OffsetCfg(
        pos=(-5.0, 0.0, 2.0), rot=(0.0, 0.0, 0.0, 1.0), convention="world"
    )
    data_types: list[str] = ["rgb"]
    # 20.955 mm of film behind a 24 mm lens: 47 degrees wide. Nothing beyond 20 m, where the next environment begins
    spawn: sim_utils.PinholeCameraCfg = sim_utils.PinholeCameraCfg(
        focal_length=24.0, focus_distance=400.0, horizontal_aperture=20.955, clipping_range=(0.1, 20.0)
    )
    width: int = 96
    height: int = 96
    # who draws: renderer=newton_renderer (the default), isaacsim_rtx or ovrtx
    renderer_cfg: MultiBackendRendererCfg = MultiBackendRendererCfg()


@configclass
class CartpoleRGBCameraSceneCfg(CartpoleSceneCfg):
    """The cart-pole with a colour camera in every environment."""

    tiled_camera: CartpoleCameraCfg = CartpoleCameraCfg(data_types=["rgb"])


@configclass
class CartpoleDepthCameraSceneCfg(CartpoleSceneCfg):
    """The cart-pole with a depth camera in every environment."""

    tiled_camera: CartpoleCameraCfg = CartpoleCameraCfg(data_types=["depth"])


##
# MDP
##


@configclass
class RGBObservationsCfg:
    """What the policy sees: the last two colour pictures, so that it can tell which way things move."""

    @configclass
    class RGBCameraPolicyCfg(ObsGroup):
        """Shape (6, height, width): red, green and blue of the older picture, then of the newer one."""

        # every colour between 0 and 1, less its mean over the picture
        image = ObsTerm(
            func=mdp.image_rgb,
            params={
                "sensor_cfg": SceneEntityCfg("tiled_camera"),
                "data_type": "rgb",
                "channel_first": True,
                "frame_stack": 2,
            },
        )

        def __post_init__(self) -> None:
            self.enable_corruption = False
            self.concatenate_terms = True

    policy: ObsGroup = RGBCameraPolicyCfg()
    # for the critic only, which is not needed after training: the four numbers
    critic: ObsGroup = ObservationsCfg.PolicyCfg()


@configclass
class DepthObservationsCfg:
    """What the policy sees: the last two depth pictures."""

    @configclass
    class DepthCameraPolicyCfg(ObsGroup):
        """Shape (2, height, width): distance [m], 0 where there is nothing; the older picture first."""

        image = ObsTerm(
            func=mdp.image_depth,
            params={
                "sensor_cfg": SceneEntityCfg("tiled_camera"),
                "data_type": "depth",
                "channel_first": True,
                "frame_stack": 2,
            },
        )

        def __post_init__(self) -> None:
            self.enable_corruption = False
            self.concatenate_terms = True

    policy: ObsGroup = DepthCameraPolicyCfg()
    # for the critic only
    critic: ObsGroup = ObservationsCfg.PolicyCfg()


@configclass
class ResNet18ObservationsCfg:
    """What the policy sees: 1000 numbers that a frozen ResNet18 makes of the colour picture."""

    @configclass
    class ResNet18FeaturesPolicyCfg(ObsGroup):
        """Shape (1000,): how much the picture looks like each of ImageNet's classes."""

        image = ObsTerm(
            func=mdp.frozen_image_features,
            params={
                "sensor_cfg": SceneEntityCfg("tiled_camera"),
                "data_type": "rgb",
                "model_name": "resnet18",
                # None: the device of the environment
                "model_device": None,
                # "pretrained" (downloaded once), "random" (a dry run), or the path of a downloaded file
                "weights": "pretrained",
            },
        )

        def __post_init__(self) -> None:
            self.enable_corruption = False
            self.concatenate_terms = True

    policy: ObsGroup = ResNet18FeaturesPolicyCfg()


@configclass
class TheiaTinyObservationsCfg:
    """What the policy sees: what a frozen Theia-Tiny, a vision transformer for robots, makes of the colour picture."""

    @configclass
    class TheiaTinyFeaturesPolicyCfg(ObsGroup):
        """192 numbers for each patch of 16 x 16 pixels; 36 patches in a picture of 96 x 96."""

        image = ObsTerm(
            func=mdp.frozen_image_features,
            params={
                "sensor_cfg": SceneEntityCfg("tiled_camera"),
                "data_type": "rgb",
                "model_name": "theia-tiny-patch16-224-cddsv",
                # None: the device of the environment
                "model_device": None,
                # "pretrained" (downloaded once), "random" (a dry run), or the folder of a downloaded model
                "weights": "pretrained",
            },
        )

        def __post_init__(self) -> None:
            self.enable_corruption = False
            self.concatenate_terms = True

    policy: ObsGroup = TheiaTinyFeaturesPolicyCfg()


##
# Environments
##


@configclass
class CartpoleRGBCameraEnvCfg(CartpoleEnvCfg):
    """The cart-pole, to be balanced by looking at colour pictures."""

    # fewer environments, since every one is drawn, and further apart, since each must see only itself
    scene: CartpoleRGBCameraSceneCfg = CartpoleRGBCameraSceneCfg(num_envs=512, env_spacing=20.0)
    observations: RGBObservationsCfg = RGBObservationsCfg()

    def __post_init__(self) -> None:
        super().__post_init__()
        # the floor would fill half of the picture and tell nothing
        self.scene.ground = None
        # an easier start than with exact numbers: at most 22.5 degrees
        self.events.reset_pole_position.params["position_range"] = (-0.125 * math.pi, 0.125 * math.pi)
        # where a viewer stands
        self.sim.default_visualizer_cfg = VisualizerCfg(eye=(20.0, 20.0, 20.0), lookat=(0.0, 0.0, 0.0))


@configclass
class CartpoleDepthCameraEnvCfg(CartpoleRGBCameraEnvCfg):
    """The cart-pole, to be balanced by looking at depth pictures."""

    scene: CartpoleDepthCameraSceneCfg = CartpoleDepthCameraSceneCfg(num_envs=512, env_spacing=20.0)
    observations: DepthObservationsCfg = DepthObservationsCfg()


@configclass
class CartpoleResNet18CameraEnvCfg(CartpoleRGBCameraEnvCfg):
    """The cart-pole, to be balanced on the features of a frozen ResNet18."""

    observations: ResNet18ObservationsCfg = ResNet18ObservationsCfg()


@configclass
class CartpoleTheiaTinyCameraEnvCfg(CartpoleRGBCameraEnvCfg):
    """The cart-pole, to be balanced on the features of a frozen Theia-Tiny."""

    observations: TheiaTinyObservationsCfg = TheiaTinyObservationsCfg()
