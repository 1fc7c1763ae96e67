"""What each verb of a scripted step does: ``begin_step`` once, then ``advance_step`` until it is done."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.acts import HELD, TOP_SPEED, TOP_SPEED_VEHICLE, StepConfig
from twin_sim.core.falls import advance_fall, tip_over
from twin_sim.core.fights import advance_fight, begin_fight
from twin_sim.core.frame import Activity, Light
from twin_sim.core.performer import Performer
from twin_sim.core.stage import Stage
from twin_sim.core.ways import Way, clamp, wrapped

#: Speed, acceleration and braking where a scenario says nothing, m/s and m/s².
USUAL = {
    ObjectClass.PEDESTRIAN: (1.35, 1.2, 1.5), ObjectClass.BICYCLE: (4.2, 1.0, 2.0),
    ObjectClass.SCOOTER: (5.0, 1.2, 2.5), ObjectClass.MOTORCYCLE: (11.0, 3.0, 4.0),
    ObjectClass.TRUCK: (9.0, 1.2, 2.5), ObjectClass.BUS: (9.0, 1.0, 2.0),
}  # fmt: skip
USUAL_CAR = (11.0, 2.2, 3.0)
ROUNDING = {ObjectClass.PEDESTRIAN: 0.4, ObjectClass.BICYCLE: 2.0, ObjectClass.SCOOTER: 2.0}
ROUNDING_VEHICLE = 5.0
#: Hardest braking for others and for signals, m/s².
HEEDING = 6.0
#: Persons who go faster than this set off faster too, m/s.
BRISK = 1.8
#: A pursuer stops this far from whom it has caught, metres.
CAUGHT = 0.9
#: Braking harder than this shows, m/s².
BRAKE_LIGHT = 0.6


def begin_step(performer: Performer, stage: Stage, now: float) -> None:
    """Go on to the next step."""
    performer.step += 1
    performer.step_begun, performer.step_done, performer.due = now, False, None
    step = performer.config.do[performer.step]
    if step.go is not None or step.drive is not None:
        performer.way, performer.along = way_of(step, performer, stage), 0.0
        performer.stops = stops_of(step, performer.way, stage)
    elif step.fall is not None:
        tip_over(performer, step.fall, now)
    elif step.chase is not None:
        _begin_chase(performer, stage, step.chase)
    elif step.fight is not None:
        begin_fight(performer, stage, step.fight)
    elif step.leave:
        performer.gone = True
    elif step.join:
        performer.gone = performer.joining = True


def way_of(step: StepConfig, performer: Performer, stage: Stage) -> Way:
    """Return the way of go or drive, from where the actor is.

    Raises:
        ConfigError: a point, edge or lane that does not exist.

    """
    here = np.array([[performer.x, performer.y]])
    if step.go is not None:
        points = np.array([stage.point(point) for point in step.go])
        kind = performer.classification
        return Way(np.concatenate([here, points]), ROUNDING.get(kind, ROUNDING_VEHICLE))
    whole = drive_way(step, stage)
    joined = whole.nearest(performer.x, performer.y)
    beside = float(np.hypot(*(np.array(whole.position(joined)) - here[0])))
    first = joined if beside < 0.3 else min(joined + 8.0, whole.length - 1.0)
    ahead = np.array([whole.position(s) for s in np.arange(first, whole.length, 1.0).tolist()])
    return Way(np.concatenate([here, ahead, [whole.position(whole.length)]]))


def drive_way(step: StepConfig, stage: Stage) -> Way:
    """Return the way of a drive, whole, without where the actor is."""
    drive = step.drive
    if drive is None:
        raise ValueError("step: expected drive")
    whole = Way(stage.lanes.way(drive.edges, drive.lane, drive.reverse))
    first, last = drive.begin, max(whole.length - drive.end, drive.begin + 1.0)
    return Way([whole.position(s) for s in [*np.arange(first, last, 1.0).tolist(), last]])


def stops_of(step: StepConfig, way: Way, stage: Stage) -> tuple[tuple[float, str], ...]:
    """Return where the stop lines of a drive are on its way, metres, and the edges whose signals count."""
    if step.drive is None or step.drive.reverse or not step.heed:
        return ()
    ends = [(stage.lanes.clamped(edge, step.drive.lane)[-1], edge) for edge in step.drive.edges]
    return tuple((way.nearest(float(end[0]), float(end[1])), edge) for end, edge in ends)


def advance_step(performer: Performer, stage: Stage, now: float, interval: float) -> None:
    """Let an actor do what its present step says for a short time; notes when the step is done."""
    if performer.fall is not None and performer.down:
        step = performer.config.do[performer.step] if performer.step >= 0 else None
        if step is None or step.rise is None or performer.step_done:
            still = advance_fall(performer, performer.ground, now, interval)
            performer.step_done = performer.step_done or still
            return
    if performer.step < 0:
        performer.velocity[:] = 0.0
        return
    step = performer.config.do[performer.step]
    verb = next(name for name in ADVANCE if getattr(step, name) is not None)
    if performer.step_done and verb not in ("hold", "fight"):
        _rest(performer, now, interval)
        return
    done = ADVANCE[verb](performer, step, stage, now, interval)
    performer.step_done = performer.step_done or done


def _travel(performer: Performer, step: StepConfig, stage: Stage, now: float, interval: float) -> bool:
    way = performer.way
    if way is None:
        return True
    usual, acceleration, braking = USUAL.get(performer.classification, USUAL_CAR)
    speed, remaining = step.speed or usual, way.length - performer.along
    rate = step.acceleration or (acceleration if speed < BRISK or not performer.person else 3.0)
    if step.arrive is not None and performer.step > 0:
        speed = min(remaining / max(step.arrive - now, 0.05), top_speed(performer.classification))
        rate = max(rate, 2.5)
    elif step.arrive is None and _ends(performer):
        speed = min(speed, math.sqrt(2 * braking * max(remaining - 0.02, 0.0)))
    hardest = HEEDING if performer.limit < speed else 1.2 * max(braking, rate)
    speed = min(speed, performer.limit)
    change = max(min(speed - performer.speed, rate * interval), -hardest * interval)
    _follow(performer, way, change, interval)
    performer.carry_on(now)
    return performer.along >= way.length - 0.03


def _ends(performer: Performer) -> bool:
    """Return whether the actor comes to a halt where its way ends: something else than moving follows."""
    following = performer.config.do[performer.step + 1 : performer.step + 2]
    return bool(following) and not (following[0].moves or following[0].leave or following[0].join)


def _follow(performer: Performer, way: Way, change: float, interval: float) -> None:
    """Change the speed and go on along a way."""
    performer.speed = max(performer.speed + change, 0.0)
    performer.along += performer.speed * interval
    x, y = way.position(performer.along)
    if performer.aside:
        across = way.heading(performer.along, 1.0) + math.pi / 2
        x, y = x + performer.aside * math.cos(across), y + performer.aside * math.sin(across)
    base = (0.6 if not performer.person else 0.8) * performer.size[0]
    heading = way.heading(performer.along, base)
    if performer.person:
        turn = wrapped(heading - performer.yaw)
        heading = performer.yaw + clamp(turn, 6.0 * interval)
    performer.light(Light.BRAKE, performer.motor and (change < -BRAKE_LIGHT * interval or performer.speed < 0.1))
    performer.moved(x, y, heading, interval)


def _rest(performer: Performer, now: float, interval: float) -> None:
    """Stay, or come to a halt, where nothing else is to be done."""
    _slow_down(performer, USUAL.get(performer.classification, USUAL_CAR)[2], interval)
    performer.carry_on(now)


def _slow_down(performer: Performer, braking: float, interval: float) -> None:
    if performer.way is None or performer.speed == 0.0:
        performer.speed = 0.0
        performer.moved(performer.x, performer.y, performer.yaw, interval)
        performer.light(Light.BRAKE, performer.motor)
        return
    _follow(performer, performer.way, -braking * interval, interval)


def _hold(performer: Performer, step: StepConfig, stage: Stage, now: float, interval: float) -> bool:
    if performer.speed > 0:
        _rest(performer, now, interval)
        return False
    _slow_down(performer, 1.0, interval)
    if performer.person:
        performer.begin(HELD[step.activity], now)
    else:
        performer.begin(Activity.PARKED if step.activity == "parked" else Activity.STOPPED, now)
    return bool(now - performer.step_begun >= (step.hold or 0.0))


def _brake(performer: Performer, step: StepConfig, stage: Stage, now: float, interval: float) -> bool:
    _slow_down(performer, step.brake or 1.0, interval)
    performer.carry_on(now)
    return performer.speed == 0.0


def _fall(performer: Performer, step: StepConfig, stage: Stage, now: float, interval: float) -> bool:
    return advance_fall(performer, performer.ground, now, interval)


def _rise(performer: Performer, step: StepConfig, stage: Stage, now: float, interval: float) -> bool:
    share = (now - performer.step_begun) / (step.rise or 1.0)
    performer.moved(performer.x, performer.y, performer.yaw, interval)
    if share >= 0.4:
        performer.begin(Activity.SITTING, now)
    if share >= 1.0:
        performer.fall = None
        performer.begin(Activity.STANDING, now)
    return share >= 1.0


def _begin_chase(performer: Performer, stage: Stage, name: str) -> None:
    trail = np.array(stage.trails[name] or [(stage.performers[name].x, stage.performers[name].y)])
    performer.trail_place = int(np.argmin(np.hypot(trail[:, 0] - performer.x, trail[:, 1] - performer.y)))


def _chase(performer: Performer, step: StepConfig, stage: Stage, now: float, interval: float) -> bool:
    """Run along the trail of another until it is caught."""
    target, trail = stage.performers[step.chase or ""], stage.trails[step.chase or ""]
    distance = float(np.hypot(target.x - performer.x, target.y - performer.y))
    aim = (target.x, target.y) if distance < 2.0 or not trail else trail[min(performer.trail_place, len(trail) - 1)]
    while np.hypot(aim[0] - performer.x, aim[1] - performer.y) < 0.6 and performer.trail_place < len(trail) - 1:
        performer.trail_place += 1
        aim = trail[performer.trail_place]
    wanted = min(step.speed or 5.0, target.speed + max(distance - CAUGHT, 0.0) * 1.5)
    rate = step.acceleration or 3.0
    performer.speed = max(performer.speed + max(min(wanted - performer.speed, rate * interval), -4.0 * interval), 0.0)
    heading = float(np.arctan2(aim[1] - performer.y, aim[0] - performer.x)) if distance > CAUGHT else performer.yaw
    turn = clamp(wrapped(heading - performer.yaw), 6.0 * interval)
    yaw, way = performer.yaw + turn, performer.speed * interval
    performer.moved(performer.x + way * np.cos(yaw), performer.y + way * np.sin(yaw), yaw, interval)
    performer.carry_on(now)
    return target.gone or distance < CAUGHT + 0.1


def _fight(performer: Performer, step: StepConfig, stage: Stage, now: float, interval: float) -> bool:
    advance_fight(performer, stage, step.fight or (), now, interval)
    return False


def _leave(performer: Performer, step: StepConfig, stage: Stage, now: float, interval: float) -> bool:
    return True


def top_speed(classification: ObjectClass) -> float:
    """Return the fastest plausible speed of a class, m/s."""
    return TOP_SPEED.get(classification, TOP_SPEED_VEHICLE)


ADVANCE: dict[str, Callable[[Performer, StepConfig, Stage, float, float], bool]] = {
    "go": _travel, "drive": _travel, "hold": _hold, "fall": _fall, "rise": _rise, "brake": _brake, "chase": _chase,
    "fight": _fight, "leave": _leave, "join": _leave,
}  # fmt: skip
