"""Robot files: what becomes of units, masses and motors between USD, MJCF and Newton. Models are built, none is run."""

from __future__ import annotations

import math
import warnings
from typing import Any

from tests.surprises.entry import Place, Values, surprise

USD = "newton/_src/utils/import_usd.py"
PACKAGES = ("newton", "usd-exchange")


def arm(*, meters: float | None = 1.0, mass: float | None = 2.0) -> Any:
    """A USD stage: base and arm, cubes of side 0.2, and between them a hinge with a drive of 1 and a limit of 5."""
    from pxr import Gf, Usd, UsdGeom, UsdPhysics

    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, "Z")
    if meters is not None:
        UsdGeom.SetStageMetersPerUnit(stage, meters)
    UsdPhysics.Scene.Define(stage, "/scene")
    UsdPhysics.ArticulationRootAPI.Apply(UsdGeom.Xform.Define(stage, "/robot").GetPrim())
    for name in ("base", "arm"):
        link = UsdGeom.Xform.Define(stage, f"/robot/{name}")
        UsdPhysics.RigidBodyAPI.Apply(link.GetPrim())
        cube = UsdGeom.Cube.Define(stage, f"/robot/{name}/cube")
        cube.CreateSizeAttr(0.2)
        UsdPhysics.CollisionAPI.Apply(cube.GetPrim())
    UsdGeom.Xformable(link.GetPrim()).AddTranslateOp().Set(Gf.Vec3d(1, 0, 0))
    if mass is not None:
        UsdPhysics.MassAPI.Apply(link.GetPrim()).CreateMassAttr(mass)
    UsdPhysics.FixedJoint.Define(stage, "/robot/fixed").CreateBody1Rel().SetTargets(["/robot/base"])
    hinge = UsdPhysics.RevoluteJoint.Define(stage, "/robot/hinge")
    hinge.CreateAxisAttr("Y")
    hinge.CreateBody0Rel().SetTargets(["/robot/base"])
    hinge.CreateBody1Rel().SetTargets(["/robot/arm"])
    hinge.CreateLocalPos1Attr(Gf.Vec3f(-1, 0, 0))
    drive = UsdPhysics.DriveAPI.Apply(hinge.GetPrim(), "angular")
    drive.CreateStiffnessAttr(1.0)
    drive.CreateMaxForceAttr(5.0)
    return stage


def model(stage: Any) -> Any:
    """The stage as Newton reads it."""
    return read_and_heard(stage)[0]


def read_and_heard(stage: Any) -> tuple[Any, int]:
    """The stage as Newton reads it, and how many warnings about units came with it."""
    import newton
    import warp as wp

    wp.config.log_level = wp.LOG_ERROR
    builder = newton.ModelBuilder()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        builder.add_usd(stage)
    return builder.finalize(device="cpu"), sum("metersPerUnit" in str(one.message) for one in heard)


@surprise(
    world="plain",
    group="files",
    question="A USD file does not say `metersPerUnit`. What are its numbers, on Newton?",
    guess="Metres: the file was made for a robot, and everything else is in SI units.",
    happens="Metres and centimetres at once. A cube of side 0.2 stays {side:.1f} m, and gravity becomes "
    "{gravity:.0f} m/s². {said} warnings are given; a file that says 0.01 itself gets {said_written}.",
    why="USD's default is 0.01, so gravity is turned into units of centimetres; lengths are taken as they stand.",
    places=(Place(USD, "USD stages with non-unit linear units are not supported."),),
    todo="Write `metersPerUnit = 1` in the head of every file. Ours does.",
    packages=PACKAGES,
    holds=lambda v: abs(v["side"] - 0.2) < 1e-6 and v["gravity"] > 900 and v["said"] == 0 and v["said_written"] == 1,
    guessed={"gravity": 9.81},
)
def a_file_without_units() -> Values:
    read, said = read_and_heard(arm(meters=None))
    return {
        "side": 2 * float(read.shape_scale.numpy()[-1][0]),
        "gravity": -float(read.gravity.numpy().ravel()[2]),
        "said": said,
        "said_written": read_and_heard(arm(meters=0.01))[1],
    }


@surprise(
    world="plain",
    group="files",
    question="`physics:mass = 0` on a link with a collider. How heavy is the link?",
    guess="Weightless, or an error.",
    happens="{zero:g} kg, as if the line were not there ({nothing:g} kg): the volume of its collider times 1000 kg/m³.",
    why="In USD's schema 0 means 'not said', for mass, density and inertia alike.",
    places=(Place(USD, "def _mass_api_effective_mass"),),
    todo="Give a small mass and an inertia to a link that should weigh next to nothing.",
    packages=PACKAGES,
    holds=lambda v: abs(v["zero"] - 8.0) < 1e-3 and v["zero"] == v["nothing"],
    guessed={"zero": 0.0},
)
def mass_zero_is_not_said() -> Values:
    mass = {
        name: float(model(arm(mass=value)).body_mass.numpy()[-1]) for name, value in (("zero", 0.0), ("nothing", None))
    }
    return mass


@surprise(
    world="plain",
    group="files",
    question="The file gives a hinge a drive of stiffness 1. How stiff is it?",
    guess="1 N m/rad, like `stiffness=1` in `ImplicitActuatorCfg`.",
    happens="{newton:.1f} N m/rad. The limit of 5 N m stays {limit:g} N m.",
    why="Angles of USD physics are degrees, and so is the unit below the stiffness: N m a degree. Isaac Lab's own "
    "settings are per radian.",
    places=(Place(USD, "target_ke /= DegreesToRadian / joint_drive_gains_scaling"),),
    todo="Divide by 57.3 on the way into a file, or set gains in the actuator's config, which wins.",
    packages=PACKAGES,
    holds=lambda v: abs(v["newton"] - 180 / math.pi) < 0.01 and v["limit"] == 5.0,
    guessed={"newton": 1.0},
)
def stiffness_is_per_degree() -> Values:
    read = model(arm())
    return {"newton": float(read.joint_target_ke.numpy()[-1]), "limit": float(read.joint_effort_limit.numpy()[-1])}


@surprise(
    world="plain",
    group="files",
    question="`builder.add_link(mass=1.0)`, then a box of side 0.2 m on it. How heavy is the link?",
    guess="1 kg: it was said.",
    happens="{both:.1f} kg. The box adds its volume times 1000 kg/m³. With `density=0` in its `ShapeConfig` it stays "
    "{alone:.1f} kg.",
    why="In Newton a shape brings mass by default, on top of what the link has. From a USD file the link's mass "
    "counts alone.",
    places=(Place("newton/_src/sim/builder.py", "self._update_body_mass(body, m, inertia, com_body, xform.q)"),),
    todo="Give either a mass or shapes with a density.",
    packages=("newton",),
    holds=lambda v: abs(v["both"] - 9.0) < 1e-3 and abs(v["alone"] - 1.0) < 1e-3,
    guessed={"both": 1.0},
)
def shapes_add_mass() -> Values:
    import newton

    def weigh(**settings: Any) -> float:
        builder = newton.ModelBuilder()
        link = builder.add_link(mass=1.0)
        builder.add_shape_box(link, hx=0.1, hy=0.1, hz=0.1, **settings)
        return float(builder.body_mass[link])

    return {"both": weigh(), "alone": weigh(cfg=newton.ModelBuilder.ShapeConfig(density=0.0))}


@surprise(
    world="plain",
    group="files",
    question="A pole of 1 kg in a USD file: mass and centre of mass (0.47 m from its hinge), no inertia, no "
    "collider. How does it swing?",
    guess="As a point on a string of 0.47 m, or a little slower: 1.4 s.",
    happens="With a period of {period:.2f} s, against {point:.2f} s of the point.",
    why="The fallback inertia is already moved to the hinge, and every solver moves it there again: m·d² counts twice.",
    places=(Place(USD, "I_default += wp.mat33(mass * d_squared"),),
    todo="Write `physics:diagonalInertia`, or give the link a collider. "
    "`findings/newton_usd_link_without_collider.sh` shows it alone.",
    packages=PACKAGES,
    holds=lambda v: v["period"] > 1.3 * v["point"],
    guessed={"period": 1.4},
)
def the_lever_counts_twice() -> Values:
    from pxr import Gf, Usd, UsdGeom, UsdPhysics

    mass, lever = 1.0, 0.47
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, "Z")
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdPhysics.Scene.Define(stage, "/scene")
    pole = UsdGeom.Xform.Define(stage, "/pole").GetPrim()
    UsdPhysics.RigidBodyAPI.Apply(pole)
    given = UsdPhysics.MassAPI.Apply(pole)
    given.CreateMassAttr(mass)
    given.CreateCenterOfMassAttr(Gf.Vec3f(0, 0, lever))
    inertia = float(model(stage).body_inertia.numpy()[-1][0, 0]) + mass * lever**2  # what a solver makes of it
    return {
        "period": 2 * math.pi * math.sqrt(inertia / (mass * 9.81 * lever)),
        "point": 2 * math.pi * math.sqrt(lever / 9.81),
    }


@surprise(
    world="plain",
    group="files",
    question="Newton reads a MuJoCo model: gravity of the Moon, 4 ms, a motor and then a position actuator. What "
    "arrives?",
    guess="All of it: Newton's solver *is* MuJoCo-Warp.",
    happens="Gravity {gravity:.2f} m/s², {timestep:g} s, and the motor is control {motor} instead of 0. No word is "
    "said.",
    why="The importer takes the bodies; of the options it takes few, and it sorts the actuators by kind.",
    places=(Place("newton/_src/utils/import_mjcf.py", "if parse_mujoco_options:"),),
    todo="Set gravity and time step in Newton; find actuators by name. `findings/newton_mjcf_options.sh` has more.",
    packages=("newton", "mujoco"),
    holds=lambda v: abs(v["gravity"] + 9.81) < 1e-2 and v["timestep"] == 0.002 and v["motor"] == 1,
    guessed={"gravity": -1.62, "timestep": 0.004, "motor": 0},
)
def the_moon_becomes_the_earth() -> Values:
    import newton

    text = """<mujoco><option gravity="0 0 -1.62" timestep="0.004"/><worldbody><body name="cart">
      <joint name="slide" type="slide" axis="1 0 0"/><geom type="box" size=".1 .1 .1" mass="1"/><body name="pole">
      <joint name="hinge" type="hinge" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0 0 1" size=".02" mass="1"/>
      </body></body></worldbody><actuator><motor name="push" joint="slide" gear="100"/>
      <position name="hold" joint="hinge" kp="5"/></actuator></mujoco>"""
    builder = newton.ModelBuilder()
    newton.solvers.SolverMuJoCo.register_custom_attributes(builder)
    builder.add_mjcf(text)
    made = newton.solvers.SolverMuJoCo(builder.finalize(device="cpu")).mj_model
    return {
        "gravity": float(made.opt.gravity[2]),
        "timestep": float(made.opt.timestep),
        "motor": [int(gear) for gear in made.actuator_gear[:, 0]].index(100),
    }
