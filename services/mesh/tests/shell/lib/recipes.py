"""Takes the recipes of a Markdown file apart and compares what they said with what the file says; it runs nothing.

`recipes.py split FILE FOLDER` writes each ```sh block to FOLDER/NN.sh, and the ```text block right below it to FOLDER/NN.want.
`recipes.py compare FOLDER/NN` reads NN.want beside NN.out and NN.code. The lines of NN.want must occur in the output in their
order, where `…` is any text of that line; a block with a line that begins with `ERROR:` or `Failed` must fail, any other must
succeed, and one that has no lines must say nothing.
"""

import pathlib
import re
import sys

BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def split(file, folder):
    blocks = BLOCK.findall(pathlib.Path(file).read_text(encoding="utf-8"))
    assert len(blocks) > 10, f"only {len(blocks)} blocks"
    for number, (commands, wanted) in enumerate(blocks):
        path = pathlib.Path(folder) / f"{number:02}"
        path.with_suffix(".sh").write_text(commands, encoding="utf-8")
        path.with_suffix(".want").write_text(wanted, encoding="utf-8")


def compare(stem):
    path = pathlib.Path(stem)
    wanted = path.with_suffix(".want").read_text(encoding="utf-8").splitlines()
    said = path.with_suffix(".out").read_text(encoding="utf-8", errors="replace")
    code = int(path.with_suffix(".code").read_text())
    lines = iter(said.splitlines())
    for line in wanted:
        pattern = re.compile(".+".join(re.escape(part) for part in line.strip().split("…")).removesuffix(".+"))
        if not any(pattern.search(found) for found in lines):
            raise SystemExit(f"not said, or not in this order: {line}\nexit code {code}; it said:\n{said}")
    if any(line.startswith(("ERROR:", "Failed")) for line in wanted) != (code != 0):
        raise SystemExit(f"exit code {code}; it said:\n{said}")
    if not wanted and said.strip():
        raise SystemExit(f"it should say nothing, and said:\n{said}")


{"split": split, "compare": compare}[sys.argv[1]](*sys.argv[2:])
