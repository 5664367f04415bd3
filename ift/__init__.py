"""Universal style transfer by iterative feature transformation, as a PyTorch library."""
