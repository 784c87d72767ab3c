"""What follows a job that has ended: its steps' templates filled in, as jobs to send. Nothing is fetched."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from worker.chain_names import child_id, fan_in_blob
from worker.ended import follows
from worker.faults import JobRejected
from worker.filling import Unfilled, filled, value_of
from worker.fitting import encoded
from worker.job import parse_job, validate_job
from worker.model import Model
from worker.result import Error, FanOut, NextStep
from worker.steps import COLLECTED, Template, sources, with_sources
from worker.trigger import MOST_DEPTH, MOST_WIDTH, Reference, Refusal, StepName, StepTrigger, Trigger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.ended import Parent
    from worker.steps import Step

MOST_BYTES = 64 << 20  # of the jobs of one step, before large parts of them are put into blobs
_REFUSED_CODE = {"inline": ""}


@dataclass(frozen=True)
class Child:
    """A job to send, in the worker's own words where its template cannot be filled in: it is then rejected.

    ``sources`` are what it takes ``from`` its parent; its document has them still to be replaced.
    """

    batch: str
    id: str
    document: Template
    sources: frozenset[str] = frozenset()
    error: Error | None = None

    def refused(self, code: str, message: str) -> Child:
        """What takes its place and says why it cannot be; what follows a failure follows that."""
        refusal = Refusal(code=code, message=message[:2000])
        slot = _Slot(self.batch, self.id, Trigger.model_validate(self.document["trigger"]))
        return _refused(slot, self.document, refusal)


class Join(Model):
    """The job that waits for a fan-out, by its name and template."""

    id: Annotated[str, Field(min_length=1)]
    batch: Annotated[str, Field(min_length=1)]
    job: Template


class FanIn(Model):
    """The record of a fan-out whose end is waited for; it is there before any of its jobs is sent."""

    parent: Reference
    step: StepName
    count: Annotated[int, Field(ge=1, le=MOST_WIDTH)]
    batch: str
    join: Join

    def children(self) -> list[str]:
        """The ids of the jobs waited for, in the order of their indices."""
        parent = self.parent.partition("/")[2]
        return [child_id(self.batch, parent, self.step, index) for index in range(self.count)]


@dataclass(frozen=True)
class Expanded:
    """What a step comes to."""

    summary: NextStep
    children: tuple[Child, ...] = ()
    fan_in: FanIn | None = None


def expanded(steps: Sequence[Step], parent: Parent, max_width: int) -> Iterator[Expanded]:
    """What each of a job's steps comes to, in their order; the jobs made are valid, or say why they are not.

    Args:
        steps: the job's.
        parent: how it ended.
        max_width: the most jobs of a fan-out.
    """
    values = parent.values()
    for step in steps:
        if follows(step, parent.result):
            yield _Expansion(step, parent, values).made(max_width)
        else:
            yield Expanded(NextStep(step=step.name, on=step.on, started=False))


def joined(fan_in: FanIn, parent: Parent, results: Sequence[Mapping[str, Any]] | Refusal) -> Child:
    """The job that follows a fan-out, given what its jobs came to, in the order of their indices.

    It is one deeper than they are: a chain has no way to go on for ever by joining.
    """
    made_by = StepTrigger(parent=parent.reference, root=parent.root, step=fan_in.step)
    depth = min(MOST_DEPTH, parent.depth + 1)
    slot = _Slot(fan_in.join.batch, fan_in.join.id, Trigger(depth=depth, step=made_by))
    if isinstance(results, Refusal):
        return _refused(slot, fan_in.join.job, results)
    return _child(slot, fan_in.join.job, {**parent.values(), "results": list(results)}, parent)


@dataclass(frozen=True)
class _Slot:
    """Where a job is to go."""

    batch: str
    id: str
    trigger: Trigger


class _Expansion:
    def __init__(self, step: Step, parent: Parent, values: Mapping[str, Any]) -> None:
        self._step, self._parent, self._values = step, parent, values
        self._made_by = StepTrigger(parent=parent.reference, root=parent.root, step=step.name)

    def made(self, max_width: int) -> Expanded:
        """The step's jobs; where it cannot say how many or where, one that is rejected."""
        try:
            batch = self._batch(self._step.job)
            if self._step.each is None:
                return self._single(batch)
            items = self._items(self._step.each, max_width)
            return self._fan_out(batch, items, self._join())
        except Unfilled as error:
            return self._failed(
                Refusal(code=error.code, message=error.message[:2000], field=error.field[:500])
            )

    def _single(self, batch: str) -> Expanded:
        child = _child(self._slot(batch), self._step.job, self._values, self._parent)
        return Expanded(self._summary(batch, (child.id,), error=child.error), (child,))

    def _fan_out(self, batch: str, items: Sequence[Any], join: Join | None) -> Expanded:
        fan_in = join and items and self._fan_in(batch, len(items), join)
        named = self._parent.attempt if fan_in else None
        made_by = self._made_by.model_copy(update={"of": len(items), "fan_in": named})
        children = list(self._each(batch, items, made_by))
        if join and not items:
            children = [joined(self._fan_in(batch, 1, join), self._parent, [])]
        first = child_id(batch, self._parent.result.id, self._step.name, 0)
        summary = self._summary(
            batch,
            FanOut(first=first, count=len(items)),
            join=f"{join.batch}/{join.id}" if join else None,
            fan_in=fan_in_blob(self._parent.reference, named, self._step.name) if named else None,
        )
        return Expanded(summary, tuple(children), fan_in or None)

    def _each(self, batch: str, items: Sequence[Any], made_by: StepTrigger) -> Iterator[Child]:
        left = MOST_BYTES
        for index, item in enumerate(items):
            values = {**self._values, "item": item, "index": index}
            slot = self._slot(batch, index, made_by.model_copy(update={"index": index}))
            child = _child(slot, self._step.job, values, self._parent)
            left -= len(json.dumps(child.document))
            if left < 0:
                message = f"its {len(items)} jobs have together over {MOST_BYTES} bytes"
                raise Unfilled("template_too_large", message, ("job",))
            yield child

    def _fan_in(self, batch: str, count: int, join: Join) -> FanIn:
        return FanIn(parent=self._parent.reference, step=self._step.name, count=count, batch=batch, join=join)

    def _join(self) -> Join | None:
        if self._step.join is None:
            return None
        batch = self._batch(self._step.join)
        name = child_id(batch, self._parent.result.id, self._step.name, "join")
        return Join(id=name, batch=batch, job=self._step.join)

    def _batch(self, template: Template) -> str:
        """The batch of a template's jobs: one for all of a fan-out, so that they are found again."""
        batch = filled({"batch": template.get("batch", self._parent.result.batch)}, self._values)["batch"]
        try:
            return validate_job({"id": "x", "batch": batch, "version": 1, "code": _REFUSED_CODE}).batch
        except JobRejected as error:
            raise Unfilled("invalid_job", error.message, ("job", "batch")) from None

    def _items(self, each: str, max_width: int) -> list[Any]:
        items = value_of(each, self._values, ("each",))
        if not isinstance(items, list):
            code = "template_value_missing" if items is None else "each_no_list"
            kind = "is missing" if items is None else "is no list"
            raise Unfilled(code, f"{each:.100} {kind}", ("each",))
        if len(items) > max_width:
            message = f"the list has {len(items)} items, and {max_width} are taken"
            raise Unfilled("fan_out_too_wide", message, ("each",))
        return items

    def _slot(self, batch: str, index: int | None = None, made_by: StepTrigger | None = None) -> _Slot:
        name = child_id(batch, self._parent.result.id, self._step.name, index)
        return _Slot(batch, name, Trigger(depth=self._parent.depth, step=made_by or self._made_by))

    def _failed(self, refusal: Refusal) -> Expanded:
        child = _refused(self._slot(self._parent.result.batch), self._step.job, refusal)
        return Expanded(self._summary(child.batch, (child.id,), error=child.error), (child,))

    def _summary(self, batch: str, jobs: tuple[str, ...] | FanOut, **more: Any) -> NextStep:  # noqa: ANN401 - NextStep's
        return NextStep(step=self._step.name, on=self._step.on, batch=batch, jobs=jobs, **more)


def _child(slot: _Slot, template: Template, values: Mapping[str, Any], parent: Parent) -> Child:
    """A job as its template has it; its own steps stay as they are, until it has ended."""
    try:
        own = filled({name: value for name, value in template.items() if name != "then"}, values)
        document = _whole(slot, {**own, **_then(template)})
        wanted = frozenset(_available(own, values, parent))
        parse_job(encoded(with_sources(document, lambda _: {"blob": "inputs/x"})))
    except Unfilled as error:
        field = error.field[:500] or None
        return _refused(slot, template, Refusal(code=error.code, message=error.message[:2000], field=field))
    except JobRejected as error:
        field = error.field[:500] if error.field else None
        return _refused(slot, template, Refusal(code=error.code, message=error.message[:2000], field=field))
    return Child(slot.batch, slot.id, document, wanted)


def _refused(slot: _Slot, template: Template, refusal: Refusal) -> Child:
    """The job in place of one that cannot be made; what is to follow a failure follows it."""
    trigger = slot.trigger.model_copy(update={"refused": refusal})
    document = _whole(replace(slot, trigger=trigger), {"code": _REFUSED_CODE, **_then(template)})
    return Child(slot.batch, slot.id, document, error=Error(**refusal.model_dump()))


def _whole(slot: _Slot, own: Template) -> Template:
    trigger = slot.trigger.model_dump(exclude_none=True)
    return {**own, "version": 1, "id": slot.id, "batch": slot.batch, "trigger": trigger}


def _then(template: Template) -> Template:
    return {"then": template["then"]} if template.get("then") else {}


def _available(own: Template, values: Mapping[str, Any], parent: Parent) -> Iterator[str]:
    there = {"stdout", "result", *({"results"} & values.keys())}
    there |= {COLLECTED + file.path for file in parent.result.files}
    for path, source in sources(own):
        if source not in there:
            raise Unfilled("input_missing", f"there is no {source!r:.200} of the job before", path)
        yield source
