"""What tests of fits share: a draw, a partition, what a store would keep, and a workbench on a pair that knows what it says."""

from hma.core.fit import Draw
from hma.core.partition import Partition
from tests import tiny

DRAW = Draw(prompts=6, answers=2, kept=0.5, drawn=6)
THIRDS = Partition.equal(3)


class Kept(dict):
    """What a store would keep, and of what kinds it was told to."""

    def __init__(self):
        self.written = []

    def keep(self, kind, key, value):
        self[key] = value
        self.written.append(kind)


def opened(folder, suite):
    """The study of a tiny pair whose ends are both decided, and its workbench."""
    from hma.study import open_study
    from hma.workbench import Workbench

    study = open_study(*tiny.write_pair(folder, decided=True), suite)
    return study, Workbench(study.reference, study.policy)
