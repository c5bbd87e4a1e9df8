"""Ways to choose alphas, and the original code's names for them."""
