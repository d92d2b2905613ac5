"""Examples in the help of every command, and the headings of the commands."""

__all__ = ["EXAMPLES", "HEADINGS"]

HEADINGS = {
    "Train": ("train-classifier", "train-generator", "sweep"),
    "Evaluate": ("evaluate", "report", "compare", "predict"),
    "See where it looks": ("try", "trajectories"),
    "Generate": ("sample", "reconstruct", "interpolate"),
    "Data and models": ("dataset", "presets", "pretrained", "export"),
    "This installation": ("doctor", "bench", "completion"),
}
"""Commands by heading, in the order of the help."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "": (
        "glimpse trajectories pretrained:classifier-8 --out glimpses.html",
        "glimpse train-classifier --glimpses 8",
        "glimpse evaluate pretrained:classifier-8",
    ),
    "train-classifier": (
        "glimpse train-classifier --glimpses 8 --images 300000",
        "glimpse train-classifier --data photos --size 96,96 --out runs/photos",
        "glimpse train-classifier --resume --out runs/photos",
    ),
    "train-generator": (
        "glimpse train-generator",
        "glimpse train-generator --preset mnist --device cuda --cuda-graph --resume",
    ),
    "sweep": ("glimpse sweep classifier --vary learning_rate=1e-4:1e-2:log --trials 20",),
    "sweep classifier": ("glimpse sweep classifier --images 100000 --vary learning_rate=1e-4:1e-2:log",),
    "sweep generator": ("glimpse sweep generator --images 100000 --vary latent=16,32,64 --trials 3",),
    "sweep show": ("glimpse sweep show runs/sweep-classifier --figure sweep.png",),
    "evaluate": (
        "glimpse evaluate pretrained:classifier-8",
        "glimpse evaluate runs/mine --diagnose --figure errors.png",
        "glimpse evaluate pretrained:draw-mnist --importance-samples 10",
    ),
    "report": (
        "glimpse report pretrained:classifier-8",
        "glimpse report runs/mine --out mine.html",
    ),
    "compare": (
        "glimpse compare pretrained:classifier-8 pretrained:ram-8 --figure errors.png",
        "glimpse compare --suite cluttered-100 --within 30",
    ),
    "predict": (
        "glimpse predict pretrained:classifier-8 seven.png",
        "glimpse predict pretrained:classifier-8 scans --invert --pad --json",
    ),
    "try": (
        "glimpse try",
        "glimpse try runs/search-8 pretrained:classifier-8 --out try.html",
    ),
    "trajectories": (
        "glimpse trajectories pretrained:classifier-8 --out glimpses.html",
        "glimpse trajectories pretrained:classifier-8 --only wrong --out wrong.png",
        "glimpse trajectories runs/mine --summary --out summary.png",
    ),
    "sample": (
        "glimpse sample pretrained:draw-mnist --out samples.png",
        "glimpse sample pretrained:draw-mnist --temperature 0.8 --out gallery.png",
    ),
    "reconstruct": ("glimpse reconstruct pretrained:draw-mnist --count 12 --out reconstructions.gif",),
    "interpolate": (
        "glimpse interpolate pretrained:draw-mnist --indices 3,8 --out between.png",
        "glimpse interpolate pretrained:draw-mnist --latent --out latents.png",
    ),
    "export": (
        "glimpse export pretrained:classifier-8 --out classifier.onnx",
        "glimpse export pretrained:draw-mnist --part reconstruct --out draw.pt2",
    ),
    "dataset": ("glimpse dataset build digits --split test --count 1000",),
    "dataset build": ("glimpse dataset build digits --split test --count 1000 --pieces 12",),
    "dataset verify": ("glimpse dataset verify digits",),
    "dataset preview": ("glimpse dataset preview digits --boxes --out preview.png",),
    "presets": ("glimpse presets", "glimpse presets --json"),
    "pretrained": ("glimpse pretrained",),
    "doctor": ("glimpse doctor --json",),
    "bench": ("glimpse bench --what filterbank --seconds 1", "glimpse bench --growth"),
    "completion": ("glimpse completion bash",),
}
"""Examples by the command's path without `glimpse`."""
