# Copyright (c) 2022-2026, The Isaac Lab Project Developers.
# Copyright (c) 2026, the Cartpole Lab developers.
# SPDX-License-Identifier: BSD-3-Clause

"""PPO for the cart-pole with rsl-rl, plain and with the mirror symmetry."""

from __future__ import annotations

import torch
from isaaclab.utils import configclass
from isaaclab_rl.rsl_rl import RslRlMLPModelCfg, RslRlOnPolicyRunnerCfg, RslRlPpoAlgorithmCfg, RslRlSymmetryCfg

from cartpole_lab.tasks.mdp.symmetry import mirror_left_right


@configclass
class CartpolePPORunnerCfg(RslRlOnPolicyRunnerCfg):
    """PPO with two small networks of the same shape, one that acts and one that judges."""

    # rsl-rl would ask for a GPU; a machine without one trains on its CPU
    device: str = "cuda:0" if torch.cuda.is_available() else "cpu"

    # (1) How long: samples of an update are num_steps_per_env x num_envs
    num_steps_per_env = 24
    max_iterations = 200
    save_interval = 25
    experiment_name = "cartpole"
    # what the actor and the critic see: the same four numbers
    obs_groups = {"actor": ["policy"], "critic": ["policy"]}
    # so that the effort stays within 1.0 x 100 N
    clip_actions = 1.0

    # (2) The networks
    actor = RslRlMLPModelCfg(
        hidden_dims=[32, 32],
        activation="elu",
        obs_normalization=False,
        distribution_cfg=RslRlMLPModelCfg.GaussianDistributionCfg(init_std=1.0),
    )
    critic = RslRlMLPModelCfg(hidden_dims=[32, 32], activation="elu", obs_normalization=False)

    # (3) The update
    algorithm = RslRlPpoAlgorithmCfg(
        value_loss_coef=1.0,
        use_clipped_value_loss=True,
        clip_param=0.2,
        entropy_coef=0.0,  # no bonus for noise: the mean push is what is judged in the end
        num_learning_epochs=5,
        num_mini_batches=4,
        learning_rate=1.0e-3,
        schedule="adaptive",  # keeps the policy's change per update near desired_kl
        gamma=0.99,
        lam=0.95,
        desired_kl=0.01,
        max_grad_norm=1.0,
    )


@configclass
class CartpolePPORunnerWithSymmetryCfg(CartpolePPORunnerCfg):
    """The same, with every sample also shown in the mirror."""

    def __post_init__(self) -> None:
        self.experiment_name = "cartpole_symmetry"
        self.algorithm.symmetry_cfg = RslRlSymmetryCfg(
            use_data_augmentation=True, data_augmentation_func=mirror_left_right
        )
