# SPDX-License-Identifier: EUPL-1.2
"""Runs lem and its peers as processes, and prepares the files that each of them reads."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import make_shape
import sizes

HERE = pathlib.Path(__file__).parent
GEMMA_TEMPLATE = ("{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
                  "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}")


class Refused(Exception):
    """A program cannot do its part; the text says why and is shown on the page."""


class Finished:
    def __init__(self, out, seconds, peak_bytes):
        self.out, self.seconds, self.peak_bytes = out, seconds, peak_bytes


def reason_of(error_text, code):
    lines = [line.strip() for line in error_text.splitlines() if line.strip()]
    telling = [line for line in lines if "ASSERT" in line or "Error" in line or "expected" in line]
    return f"exit {code}: {(telling or lines or ['no message'])[-1][:300]}"


def process(command, timeout=900, partial=False, **environment):
    """Runs a command; the peak is the child's own. `partial`: a failure that printed a result all the same is not raised."""
    env = dict(os.environ, HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", **environment)
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # pins for older programs; they would slow a peer
        env.pop(name, None)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as error:
        begin = time.perf_counter()
        child = subprocess.Popen([str(c) for c in command], stdout=out, stderr=error, env=env)
        status, usage = None, None
        while status is None:
            pid, code, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                status = os.waitstatus_to_exitcode(code)
            elif time.perf_counter() - begin > timeout:
                child.kill()
                os.wait4(child.pid, 0)
                child.returncode = -9
                raise Refused(f"stopped after {timeout} s")
            else:
                time.sleep(0.002)
        seconds, child.returncode = time.perf_counter() - begin, status
        out.seek(0), error.seek(0)
        text, errors = out.read(), error.read()
        if status != 0 and not (partial and text.strip().endswith("}")):
            print(" ".join(map(str, command)), errors[-3000:], sep="\n", file=sys.stderr)
            raise Refused(reason_of(errors, status))
        finished = Finished(text, seconds, usage.ru_maxrss * 1024)
        finished.problem = reason_of(errors, status) if status != 0 else None
        return finished


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])


class Bench:
    """The programs and folders of one run of run.py."""

    def __init__(self, args):
        self.args = args
        self.lem, self.venvs, self.work = args.lem, pathlib.Path(args.venvs), pathlib.Path(args.work)
        self.quick, self.threads = args.quick, args.threads
        self.work.mkdir(parents=True, exist_ok=True)

    def borrow(self, kept):
        """Converted models of an earlier run, which a quick one need not make again."""
        for folder in [*kept.glob("*-bf16"), *kept.glob("*-openvino-*"), *kept.glob("shapes")]:
            link = self.work / folder.name
            if not link.exists():
                link.symlink_to(folder.absolute())

    def run_lem(self, command, *arguments, **options):
        threads = options.pop("threads", self.threads)
        return process([self.lem, command, *arguments, "--threads", threads], **options)

    def python(self, venv):
        path = self.venvs / venv / "bin" / "python"
        if not path.exists():
            raise Refused(self.install_problem(venv))
        return path

    def install_problem(self, venv):
        log = self.work / f"install-{venv}.log"
        lines = log.read_text().strip().splitlines() if log.exists() else []
        return "not installed" + (f": {lines[-1][:200]}" if lines else "")

    def client(self, venv, script, *arguments, **options):
        return process([self.python(venv), HERE / script, *arguments], **options)

    def gguf(self, model):
        """A path, a name in lem's store, or a shape, which is made."""
        if pathlib.Path(model).is_file():
            return pathlib.Path(model)
        doctor = json.loads(self.run_lem("doctor", "--no-measure", "--json").out)
        found = [name for name in doctor["models"] if name.startswith(model + ".")]
        if found:
            return pathlib.Path(doctor["store"]) / found[0]
        if model in make_shape.SHAPES:
            return self.shape(model)
        raise Refused(f"{model}: not in {doctor['store']}; try `lem pull {model}`")

    def is_shape(self, model):
        return self.gguf(model) == self.shape_path(model)

    def sizes(self, model):
        return sizes.QUICK if self.quick else sizes.SHAPE if self.is_shape(model) else sizes.FULL

    def shape_path(self, model):
        return self.work / "shapes" / f"{model}.gguf"

    def shape(self, model):
        path = self.shape_path(model)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            process([self.python("hf"), HERE / "make_shape.py", model, self.gguf("gemma-3-270m"), path], timeout=1800)
        return path

    def folder(self, model):
        """The model in bfloat16, as transformers, mlx-lm and the exporter of OpenVINO read it."""
        folder = self.work / f"{pathlib.Path(model).stem}-bf16"
        if not folder.exists():
            self.run_lem("convert", "--model", self.gguf(model), "--mlx-path", folder, "--dtype", "bfloat16")
        chat = folder / "chat_template.jinja"
        if "gemma" in str(model) and not chat.exists():  # the base model has no template; both sides use the family's
            chat.write_text(GEMMA_TEMPLATE)
        return folder

    def openvino(self, model, form):
        """Exported once, by the transformers release that the exporter works with."""
        folder = self.work / f"{pathlib.Path(model).stem}-openvino-{form}"
        if not (folder / "openvino_tokenizer.xml").exists():
            self.python("openvino-export")
            process([self.venvs / "openvino-export/bin/optimum-cli", "export", "openvino", "-m", self.folder(model), "--task",
                     "text-generation-with-past", "--weight-format", form, folder], timeout=1800)
        return folder

    def doctor(self):
        return json.loads(self.run_lem("doctor", "--json").out)
