"""How the decoders are trained: the losses, the optimiser, the recipe, and how good the result is."""
