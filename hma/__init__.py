"""The alignment-tax explorer: merge a checkpoint from before RLHF with the one after, and measure what it costs.

The words, each with one meaning:

- **reference**: the checkpoint before RLHF. **policy**: the one after. Together a **pair**.
- **block**: consecutive layers that share one **alpha**, the *share of the reference*:
  ``merged_k = alpha_k * reference_k + (1 - alpha_k) * policy_k``. 0 is the policy, 1 is the reference.
  This is the direction of the original code; the printed formulas of the paper run the other way.
- **recipe**: all that is needed to make a model on the chart again. **suite**: what is measured.
  **study**: one pair and one suite. **point**: a recipe with its scores.
- **reward**: the alignment axis. **ability**: a task axis. **tax**: ability(reference) - ability(point).
- **front**: the points that no other point beats. **hypervolume**: the area between front and corner.

``[HMA]`` in a docstring is Lin et al., "Mitigating the Alignment Tax of RLHF", EMNLP 2024 (arXiv 2309.06256 v4).
"""
