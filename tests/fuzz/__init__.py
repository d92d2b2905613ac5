"""Fuzzing of everything that reads a file: damaged input is refused in one sentence, or read as if it were intact.

The quick tests try some mutants of each reader. The long run tries many, in processes of their own, so that a crash, a hang or a
request for all memory is a result too:

    python -m tests.fuzz --mutants 10000            every reader
    python -m tests.fuzz --mutants 500 --only weights --seed 7
    python -m tests.fuzz --mutants 1 --only npz --kills 200 --disk --soak 3600

To add a reader, write two functions in a module `tests/fuzz/readers_*.py`: one that writes an intact file to a folder, and one that
reads the folder and returns what it found. Name them in a `Reader` in the module's tuple `READERS`, and the module in `MODULES` of
`tests/fuzz/readers.py`.
"""
