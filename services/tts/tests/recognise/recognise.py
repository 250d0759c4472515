#!/usr/bin/env python3
"""Asks a speech recogniser which sentences it hears; it knows nothing about how the sound was made.

    recognise.py FOLDER

FOLDER holds 00.wav, 01.wav and so on: 16 kHz mono, one for each line of sentences.txt. The recogniser
(pocketsphinx, Debian packages pocketsphinx and pocketsphinx-en-us) may answer with any line of sentences.txt
or decoys.txt, and hears one file at a time. Exit code 0 when at most one sentence in twenty is mistaken, 1 when more
are, 2 when the judgement could not be made at all.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODEL = Path("/usr/share/pocketsphinx/model/en-us")
SECONDS_PER_FILE = 120


class CannotJudge(Exception):
    """The recogniser or its material is missing or broken."""


def lines(name):
    """The sentences of a data file, as the grammar spells them."""
    text = (HERE / name).read_text(encoding="utf-8")
    return [plain(line) for line in text.splitlines() if line.strip()]


def plain(sentence):
    """Lower case words without punctuation."""
    return " ".join(re.findall(r"[a-z']+", sentence.lower()))


def check_vocabulary(sentences):
    """A word that the recogniser does not know could never be heard: say so rather than count it as misread."""
    known = {line.split()[0] for line in (MODEL / "cmudict-en-us.dict").read_text(encoding="utf-8").splitlines() if line}
    missing = sorted({word for sentence in sentences for word in sentence.split()} - known)
    if missing:
        raise CannotJudge(f"the recogniser has no such words: {', '.join(missing)}")


def check_sound(path):
    """The model was trained on 16 kHz mono; anything else would be misheard, not refused."""
    try:
        with wave.open(str(path), "rb") as sound:
            form = (sound.getframerate(), sound.getnchannels(), sound.getsampwidth())
            frames = sound.getnframes()
    except (OSError, EOFError, wave.Error) as error:
        raise CannotJudge(f"{path}: {error}") from error
    if form != (16000, 1, 2) or frames == 0:
        raise CannotJudge(f"{path}: not 16 kHz mono 16-bit sound")


def hear(program, grammar, path):
    """What the recogniser hears in one file; an empty string when it hears nothing."""
    command = [
        program, "-infile", str(path), "-jsgf", str(grammar), "-hmm", str(MODEL / "en-us"),
        "-dict", str(MODEL / "cmudict-en-us.dict"), "-bestpath", "no", "-logfn", "/dev/null",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_PER_FILE, check=False)
    if done.returncode != 0:
        raise CannotJudge(f"the recogniser failed on {path.name}: {done.stderr.strip()[:200]}")
    # It prints a line for every stretch between silences.
    return plain(" ".join(done.stdout.split()))


def judge(folder):
    """Prints a line for every sentence; returns how many were right and how many there are."""
    program = shutil.which("pocketsphinx_continuous")
    if program is None or not MODEL.is_dir():
        raise CannotJudge("install the packages pocketsphinx and pocketsphinx-en-us")
    sentences, decoys = lines("sentences.txt"), lines("decoys.txt")
    choices = sentences + decoys
    if len(sentences) < 20 or len(decoys) < len(sentences) or len(set(choices)) != len(choices):
        raise CannotJudge("twenty sentences, as many decoys, and no two alike are needed")
    check_vocabulary(choices)
    files = [folder / f"{index:02}.wav" for index in range(len(sentences))]
    for path in files:
        check_sound(path)

    right = 0
    with tempfile.TemporaryDirectory() as scratch:
        grammar = Path(scratch) / "sentences.gram"
        grammar.write_text(
            "#JSGF V1.0;\ngrammar sentences;\npublic <sentence> =\n    " + "\n  | ".join(choices) + ";\n",
            encoding="utf-8",
        )
        for path, said in zip(files, sentences):
            heard = hear(program, grammar, path)
            right += heard == said
            verdict = "right" if heard == said else "WRONG"
            print(f"{path.name} {verdict}: {said}" + ("" if heard == said else f"\n       heard: {heard or 'nothing'}"))
    return right, len(sentences)


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        right, total = judge(Path(sys.argv[1]))
    except (CannotJudge, subprocess.TimeoutExpired) as error:
        print(f"cannot judge: {error}", file=sys.stderr)
        return 2
    print(f"{right} of {total} sentences recognised")
    return 0 if right * 20 >= total * 19 else 1


if __name__ == "__main__":
    sys.exit(main())
