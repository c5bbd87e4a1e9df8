"""``python -m hma front``: what no other point beats."""

from __future__ import annotations

import typer

from hma import options, report
from hma.lookup import nothing_measured, read_board
from hma.verb import verb


@verb
def front(
    *,
    chosen: options.StudyOptions,
    rho: options.Rho = None,
    as_json: options.AsJson = False,
) -> None:
    """The points that no other point beats, and the hypervolume between them and the worst corner of the two ends.

    With how sure both are: in how many resamples of the items a point stays on the front, and the hypervolume's interval.
    """
    rho = options.chosen_rho(rho)
    study = chosen.study()
    board, opened = read_board(study, chosen.store)
    robust = None if rho is None else {p.key: found for p in board.front if (found := board.robust_tax(opened, p, rho))}
    if as_json:
        report.print_json(report.front_dict(board, robust))
    elif board.points:
        report.print_front(board, robust)
    else:
        typer.echo(nothing_measured(board.study))
