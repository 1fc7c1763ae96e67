"""Merges what the platforms of a district see."""

from __future__ import annotations

import numpy as np

from twin_common import stamps
from twin_common.cdr import ArrayMessage
from twin_common.component import Component, Context, Input, Output, Timer
from twin_common.ros_host import run_component
from twin_fusion import convert
from twin_fusion.config import MergerConfig
from twin_fusion.core.merging import merge
from twin_fusion.core.placement import finite
from twin_fusion.core.slots import Part, Slot, SlotCollector


class Merger(Component):
    """Collects the arrays of one moment and joins the views of one object."""

    Config = MergerConfig
    inputs = (Input("objects", "platform_objects", each_platform=True, max_age=0.5),)
    outputs = (Output("objects", "objects"),)
    timers = (Timer("poll", 0.005),)

    def __init__(self, config: MergerConfig, context: Context) -> None:
        """Wait for platforms."""
        super().__init__(config, context)
        self._collector = SlotCollector(config)
        self._index = {name: index for index, name in enumerate(config.platforms)}
        self._refused: dict[str, str] = {}

    def on_objects(self, message: ArrayMessage, source: str) -> None:
        """Take one platform's objects."""
        now_ns = self.context.now_ns()
        problem = self._problem(message, now_ns)
        self._refuse(source, problem)
        if problem is not None:
            return
        objects = message["objects"]
        good = finite(objects) & (objects["classification"] < objects["class_probability"].shape[1])
        if not good.all():
            self.context.count("not_finite", int(np.count_nonzero(~good)))
            objects = objects[good]
        for slot in self._collector.add(Part(self._index[source], message.stamp_ns, objects), now_ns):
            self._give(slot)

    def on_timer_poll(self, now_ns: int) -> None:
        """Give out a slot that has waited long enough."""
        for slot in self._collector.poll(now_ns):
            self._give(slot)

    def _problem(self, message: ArrayMessage, now_ns: int) -> str | None:
        if message.frame_id != convert.MAP:
            return f"frame {message.frame_id!r}; expected {convert.MAP!r}"
        lead = stamps.to_seconds(message.stamp_ns - now_ns)
        if lead > self.config.max_lead:
            return f"stamp is {lead:.1f} s in the future; expected at most {self.config.max_lead:g} s"
        return None

    def _refuse(self, source: str, problem: str | None) -> None:
        """Report whose objects cannot be taken, and that they can again."""
        if problem is not None:
            self.context.count("refused")
            self._refused[source] = problem
        elif source not in self._refused:
            return
        else:
            del self._refused[source]
        self.context.report("; ".join(f"{name}: {text}" for name, text in self._refused.items()) or None)

    def _give(self, slot: Slot) -> None:
        if slot.late:
            self.context.count("late")
        merged = merge(slot, self.config)
        self.context.measure("platforms_in_slot", float(len(slot.parts)))
        self.context.measure("joined_views", float(merged.shared))
        self.context.publish("objects", convert.objects_in_map(merged.stamp_ns, merged.objects))


def main() -> int:
    """Run the node."""
    return run_component(Merger, "merger")
