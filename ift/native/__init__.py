"""Programs in machine code for this processor, where PyTorch's operators are far from what it can do.

`code` writes them, vector by vector, `machine_code` compiles them (LLVM does, through llvmlite), and `team` runs them
on PyTorch's threads; `suited` says for what. `ift.winograd` and `ift.gram` are such programs.
"""
