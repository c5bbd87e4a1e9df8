"""The errors a person may see. Each says what is wrong, what was expected, and what to do.

HmaError                 a person's mistake or the world's; shown, never a traceback
├── AlphasError          alphas of the wrong number or outside [0, 1]
├── CheckpointError      a folder that is missing, broken, or does not match its partner
├── SuiteError           a suite, task, prompt file or reward that cannot be used
├── FitError             alphas cannot be fitted so: what was asked for, or what they are to be fitted on
├── StoreError           the file of points cannot be opened, read or written
├── ExportError          a merged checkpoint cannot be written there, or what lies there is not whole
├── PushError            an exported folder cannot be pushed to the hub
└── MeasureError         a measurement that was begun and could not be finished
    ├── Refused          nothing was wrong with the measurement, but with the pair or suite that it was asked for
    ├── Outdated             the checkpoints' files were written after a worker had opened them
    ├── WorkerDied       the process that owns the models ended by itself
    └── Cancelled        somebody asked for it to stop

A caller's mistake is a ``ValueError``; the impossible is an ``assert``.
"""


class HmaError(Exception):
    """A failure to be shown to a person as it stands."""


class AlphasError(HmaError):
    """Alphas of the wrong number, or outside [0, 1]."""


class CheckpointError(HmaError):
    """A checkpoint folder that is missing or broken, or two that do not match."""


class SuiteError(HmaError):
    """A suite, task, prompt file or reward that cannot be used."""


class FitError(HmaError):
    """Alphas cannot be fitted so: what was asked for does not go together, or there is nothing to fit on."""


class StoreError(HmaError):
    """The file of points cannot be opened, read or written."""


class ExportError(HmaError):
    """A folder that a merged checkpoint cannot be written to, or that does not hold what its recipe.json says."""


class PushError(HmaError):
    """An exported folder that cannot be pushed to the hub, or a repository that is not to be written."""


class MeasureError(HmaError):
    """A measurement that was begun and could not be finished; nothing was stored for it."""


class Refused(MeasureError):
    """The pair or the suite that was asked for cannot be measured: a person's mistake, found by the worker."""


class Outdated(MeasureError):
    """The files of the checkpoints were written after the worker had opened them; a new one is needed."""


class WorkerDied(MeasureError):
    """The process that owns the models ended by itself."""


class Cancelled(MeasureError):
    """Somebody asked for the measurement to stop."""
