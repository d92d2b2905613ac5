"""Requests: one frozen dataclass for each capability, with the names and defaults of the command line.

A command parses its options into a request. The Python calls accept the same names as keywords.
"""

from glimpse.settings.requests.benchmark import BenchRequest, Part, What
from glimpse.settings.requests.choices import (
    ClassWeights,
    ClutterChoice,
    Fit,
    FormChoice,
    GenerativeChoice,
    ImageChoice,
    ImageSelection,
    Machine,
    PictureHandling,
    SetChoice,
    Split,
    TrainingImageChoice,
)
from glimpse.settings.requests.comparison import CompareRequest, ComparisonOptions, SuiteRequest
from glimpse.settings.requests.dataset import BuildRequest
from glimpse.settings.requests.evaluation import EvaluationRequest, PredictionRequest
from glimpse.settings.requests.export import GeneratorPart, ModelExportRequest, ProgramFormat
from glimpse.settings.requests.generation import InterpolateRequest, ReconstructRequest, SampleRequest
from glimpse.settings.requests.options import chosen, flag, from_options
from glimpse.settings.requests.playground import PLAYGROUND_MODELS, PlaygroundRequest
from glimpse.settings.requests.report import ReportRequest
from glimpse.settings.requests.sweep import ClassifierSweepRequest, GeneratorSweepRequest, SweepChoice, SweepRequest
from glimpse.settings.requests.training import (
    ClassifierTrainingRequest,
    GeneratorTrainingRequest,
    RunChoice,
    Setting,
    SettingValues,
)
from glimpse.settings.requests.trajectories import (
    ExportRequest,
    LearningRequest,
    LookRequest,
    SummaryRequest,
    TrajectoryFilter,
    TrajectoryFormat,
    TrajectoryRequest,
    Verdict,
)

__all__ = [
    "PLAYGROUND_MODELS",
    "BenchRequest",
    "BuildRequest",
    "ClassWeights",
    "ClassifierSweepRequest",
    "ClassifierTrainingRequest",
    "ClutterChoice",
    "CompareRequest",
    "ComparisonOptions",
    "EvaluationRequest",
    "ExportRequest",
    "Fit",
    "FormChoice",
    "GenerativeChoice",
    "GeneratorPart",
    "GeneratorSweepRequest",
    "GeneratorTrainingRequest",
    "ImageChoice",
    "ImageSelection",
    "InterpolateRequest",
    "LearningRequest",
    "LookRequest",
    "Machine",
    "ModelExportRequest",
    "Part",
    "PictureHandling",
    "PlaygroundRequest",
    "PredictionRequest",
    "ProgramFormat",
    "ReconstructRequest",
    "ReportRequest",
    "RunChoice",
    "SampleRequest",
    "SetChoice",
    "Setting",
    "SettingValues",
    "Split",
    "SuiteRequest",
    "SummaryRequest",
    "SweepChoice",
    "SweepRequest",
    "TrainingImageChoice",
    "TrajectoryFilter",
    "TrajectoryFormat",
    "TrajectoryRequest",
    "Verdict",
    "What",
    "chosen",
    "flag",
    "from_options",
]
