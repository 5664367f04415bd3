"""Machine code for this processor."""

from __future__ import annotations

from llvmlite import binding, ir


class MachineCode:
    """A function, compiled for this processor.

    Args:
        module: that has it.
        name: of the function.

    Attributes:
        name: of the function.
        address: where it begins.
    """

    def __init__(self, module: ir.Module, name: str) -> None:
        self.name = name
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        binding.initialize_native_asmparser()
        parsed = binding.parse_assembly(str(module))
        parsed.verify()
        names = binding.get_host_cpu_features()
        names["prefer-256-bit"] = False  # which LLVM thinks best for programs that seldom use wide vectors
        machine = binding.Target.from_default_triple().create_target_machine(
            cpu=binding.get_host_cpu_name(), features=names.flatten(), opt=2
        )
        # As it is written: LLVM's optimisations take as long as all the rest, and make nothing faster.
        self._engine = binding.create_mcjit_compiler(parsed, machine)  # which keeps the code
        self._engine.finalize_object()
        self.address: int = self._engine.get_function_address(name)
