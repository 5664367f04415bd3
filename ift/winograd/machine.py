"""This processor: what its vectors hold, and machine code for it."""

from __future__ import annotations

import platform
from functools import cache

from llvmlite import binding, ir

from ift.winograd.kernel import Blocking


@cache
def features() -> frozenset[str]:
    """What the processor has, by LLVM's names (`avx2`, `amx-bf16`, …); nothing where LLVM cannot tell."""
    try:
        return frozenset(name for name, present in binding.get_host_cpu_features().items() if present)
    except RuntimeError:
        return frozenset()


def this_blocking() -> Blocking | None:
    """How to divide matrix products for this processor; None for one that the kernel has not been measured on."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    if "avx512f" in features():
        return Blocking(lanes=16, rows=8, vectors=2)  # 16 sums of 32 registers: with more, LLVM runs out of them
    if {"avx2", "fma"} <= features():
        return Blocking(lanes=8, rows=4, vectors=2)
    return None


class MachineCode:
    """A function, compiled for this processor.

    Args:
        module: that has it.
        name: of the function.

    Attributes:
        address: where it begins.
    """

    def __init__(self, module: ir.Module, name: str) -> None:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        parsed = binding.parse_assembly(str(module))
        parsed.verify()
        names = binding.get_host_cpu_features()
        names["prefer-256-bit"] = False  # which LLVM thinks best for programs that seldom use wide vectors
        machine = binding.Target.from_default_triple().create_target_machine(
            cpu=binding.get_host_cpu_name(), features=names.flatten(), opt=3
        )
        options = binding.create_pipeline_tuning_options(speed_level=2)
        passes = binding.create_pass_builder(machine, options)
        passes.getModulePassManager().run(parsed, passes)
        self._engine = binding.create_mcjit_compiler(parsed, machine)  # which keeps the code
        self._engine.finalize_object()
        self.address: int = self._engine.get_function_address(name)
