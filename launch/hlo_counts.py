"""What a compiled program does, counted in its text, as `compiled.as_text()` gives it.

A program is computations, and a computation a list of instructions, of which some call other
computations: a loop its condition and body, a fusion what it computes in one kernel. So a count
goes through the entry computation, and through the body of a loop as often as the loop turns.
"""

import dataclasses
import math
import re
from collections import defaultdict
from collections.abc import Iterator

_COLLECTIVES = (
    *("all-gather", "all-reduce", "all-to-all", "collective-broadcast", "collective-permute"),
    *("ragged-all-to-all", "reduce-scatter"),
)
# What a device does not compute: names, views, and copies beside the computation, which begin
# at a `-start` and are waited for at a `-done`.
_FREE = {
    *("add-dependency", "after-all", "bitcast", "call", "conditional", "constant", "domain"),
    *("get-tuple-element", "opt-barrier", "parameter", "partition-id", "replica-id", "tuple"),
    "while",
}
_FREE_CUSTOM_CALLS = ("AllocateBuffer",)
# Through which a number is still the same number.
_SAME = ("bitcast", "convert", "copy", "copy-done", "copy-start")

_HEADER = re.compile(r"(ENTRY )?%?([\w.-]+) \(.*\) -> .*\{")
_INSTRUCTION = re.compile(r"\s+(ROOT )?%?([\w.-]+) = (.*)")
_OPCODE = re.compile(r"([a-z][\w-]*)\(")
_ARRAY = re.compile(r"\b([a-z]+)(\d*)\w*\[([\d,]*)\]")


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
      name: without the per cent sign.
      shape: of its result, with layouts, such as `f32[16,256]{1,0}` or `(s32[], f32[8])`.
      opcode: such as `fusion`.
      arguments: the text between its parentheses.
      attributes: the text after them.
    """

    name: str
    shape: str
    opcode: str
    arguments: str
    attributes: str

    @property
    def operands(self) -> list[str]:
        """The names of the instructions that it takes."""
        return re.findall(r"%([\w.-]+)", self.arguments)

    def attribute(self, name: str) -> str:
        """The value of an attribute, without the per cent sign of a name; '' if there is none."""
        found = re.search(rf"\b{name}=%?([\w.-]+)", self.attributes)
        return found.group(1) if found else ""

    @property
    def source(self) -> str:
        """Where it comes from in the traced function, such as `jit(f)/encoder/while`."""
        found = re.search(r'op_name="([^"]*)"', self.attributes)
        return found.group(1) if found else ""

    @property
    def collective(self) -> str:
        """Which collective it is, or begins; '' for none."""
        name = self.opcode.removesuffix("-start")
        return name if name in _COLLECTIVES else ""

    @property
    def is_launch(self) -> bool:
        """Whether the device starts a piece of work for it; see `Program.launches`."""
        if self.collective or self.opcode == "fusion":
            return True
        if self.opcode in _FREE or self.opcode.endswith(("-start", "-done", "-update")):
            return False
        if self.opcode == "custom-call":
            return not any(f'"{target}"' in self.attributes for target in _FREE_CUSTOM_CALLS)
        return any(dimensions for *_, dimensions in _ARRAY.findall(self.shape))


@dataclasses.dataclass(frozen=True)
class Loop:
    """A loop of a program.

    Attributes:
      source: see `Instruction.source`.
      trips: how often it turns each time; None if that was not found.
      launches: of one turn, of inner loops all.
    """

    source: str
    trips: int | None
    launches: int


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled program, as one device runs it.

    Attributes:
      computations: by name, each its instructions by name, the last of them its result.
      entry: the name of the computation that is run.
    """

    computations: dict[str, dict[str, Instruction]]
    entry: str

    def launches(self) -> int:
        """How many pieces of work a device starts, one after another, to run the program.

        Counted are fusions, matrix products, custom calls, collectives, and whatever else
        was left alone, in loops as often as they turn. Not counted are operations on single
        numbers outside of fusions, which a TPU computes on the side, and asynchronous copies.
        Of a conditional all branches count. A loop whose turns are not known counts once.
        """
        return self._launches(self.entry)

    def loops(self) -> list[Loop]:
        """The loops, each once, an outer one before its inner ones."""
        return [
            Loop(loop.source, self.trips(loop, computation), self._launches(loop.attribute("body")))
            for loop, computation, _ in self._walk(self.entry)
            if loop.opcode == "while"
        ]

    def collectives(self) -> dict[str, tuple[int, int]]:
        """By name: how many a device takes part in, and the bytes that it gives to them."""
        found: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for instruction, computation, times in self._walk(self.entry):
            if name := instruction.collective:
                scope = self.computations[computation]
                size = sum(num_bytes(scope[operand].shape) for operand in instruction.operands)
                count, total = found[name]
                found[name] = (count + times, total + times * size)
        return dict(found)

    def trips(self, loop: Instruction, computation: str) -> int | None:
        """How often a loop turns: as XLA says, or from its condition, counter < limit.

        Loops that JAX makes of `scan` and `fori_loop` count in ones.

        Args:
          loop: the `while`.
          computation: the name of the one that it stands in.
        """
        known = re.search(r"known_trip_count\W+n\W+(\d+)", loop.attributes)
        if known:
            return int(known.group(1))
        comparison, compared = self._comparison(loop.attribute("condition"))
        if comparison.attribute("direction") != "LT" or len(compared) != 2:
            return None
        counter, limit = compared
        scope = self.computations[computation]
        state = scope[loop.operands[0]]
        if (counter.opcode, state.opcode) != ("get-tuple-element", "tuple"):
            return None
        start = _origin(scope, state.operands[int(counter.attribute("index"))])
        if (start.opcode, limit.opcode) != ("constant", "constant"):
            return None
        return int(limit.arguments) - int(start.arguments)

    def _comparison(self, condition: str) -> tuple[Instruction, list[Instruction]]:
        """What a condition ends with, perhaps in a fusion, and the origins of its operands."""
        scope = self.computations[condition]
        end = list(scope.values())[-1]
        given = [_origin(scope, name) for name in end.operands]
        if end.opcode != "fusion":
            return end, given
        inner = self.computations[end.attribute("calls")]
        comparison = list(inner.values())[-1]
        origins = [_origin(inner, name) for name in comparison.operands]
        return comparison, [
            given[int(origin.arguments)] if origin.opcode == "parameter" else origin
            for origin in origins
        ]

    def _launches(self, computation: str) -> int:
        return sum(times for found, _, times in self._walk(computation) if found.is_launch)

    def _walk(self, computation: str, times: int = 1) -> Iterator[tuple[Instruction, str, int]]:
        """Each instruction that is run, the computation that it stands in, and how often."""
        for instruction in self.computations[computation].values():
            yield instruction, computation, times
            for called, turns in self._called(instruction, computation):
                yield from self._walk(called, times * turns)

    def _called(self, instruction: Instruction, computation: str) -> list[tuple[str, int]]:
        if instruction.opcode == "while":
            return [(instruction.attribute("body"), self.trips(instruction, computation) or 1)]
        if instruction.opcode == "call":
            return [(instruction.attribute("to_apply"), 1)]
        if instruction.opcode == "async-start":
            return [(instruction.attribute("calls"), 1)]
        if instruction.opcode == "conditional":
            pattern = r"(?:branch_computations=\{([^}]*)\}|(?:true|false)_computation=(%[\w.-]+))"
            named = " ".join(map("".join, re.findall(pattern, instruction.attributes)))
            return [(name, 1) for name in re.findall(r"%([\w.-]+)", named)]
        return []


def parse(text: str) -> Program:
    """Reads a program.

    Raises:
      ValueError: the text has no entry computation.
    """
    computations: dict[str, dict[str, Instruction]] = {}
    entry, current = "", None
    for line in text.splitlines():
        if header := _HEADER.fullmatch(line.rstrip()):
            current = computations[header.group(2)] = {}
            entry = header.group(2) if header.group(1) else entry
        elif line.startswith("}"):
            current = None
        elif current is not None and (found := _INSTRUCTION.match(line)):
            instruction = _instruction(found.group(2), found.group(3))
            current[instruction.name] = instruction
            if found.group(1):
                root = instruction.name
                current[root] = current.pop(root)
    if not entry:
        raise ValueError("the text has no line that begins with ENTRY: it is no HLO program")
    return Program(computations, entry)


def num_bytes(shape: str) -> int:
    """The bytes of a shape, of a tuple all; layouts and their padding do not count."""
    total = 0
    for kind, bits, dimensions in _ARRAY.findall(shape):
        size = math.prod(int(length) for length in dimensions.split(",") if length)
        total += size * (8 if kind == "pred" else int(bits or 0)) // 8
    return total


def _instruction(name: str, text: str) -> Instruction:
    end = _closing(text, 0) if text.startswith("(") else text.index(" ")
    shape, rest = text[:end].strip(), text[end:].strip()
    opcode = _OPCODE.match(rest)
    if opcode is None:
        raise ValueError(f"instruction {name}: no operation in {text[:200]!r}")
    end = _closing(rest, opcode.end() - 1)
    return Instruction(name, shape, opcode.group(1), rest[opcode.end() : end - 1], rest[end:])


def _closing(text: str, opening: int) -> int:
    """The place after the parenthesis that closes the one at `opening`."""
    depth = 0
    for place in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    raise ValueError(f"a parenthesis is not closed: {text[:200]!r}")


def _origin(scope: dict[str, Instruction], name: str) -> Instruction:
    """The instruction whose number comes unchanged under a name."""
    instruction = scope[name]
    while instruction.opcode in _SAME:
        instruction = scope[instruction.operands[0]]
    return instruction
