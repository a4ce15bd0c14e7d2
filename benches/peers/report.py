"""Tables for people, and everything as JSON."""

import datetime
import json
import re

import cases
import engines
import intervals
import machine
from material import whole

NAMES = {
    "eager": "PyTorch",
    "compile": "PyTorch, compiled",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
}
BEGIN, END = "<!-- peers: written by benches/peers/run -->", "<!-- end of peers -->"


def milliseconds(ms):
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.1f}" if ms >= 10 else f"{ms:.2f}"


def brief(reason):
    """An engine's own words for a table: without folders of the machine, each reason cut to a line."""
    said = [re.sub(r"(?:/[\w.+-]+)+/", "", part) for part in reason.split("; ")]
    return "; ".join(part if len(part) <= 200 else part[:199] + "…" for part in said)


def row(case, peer, result):
    head = f"| {case.model} | {case.dtype} | {case.side}×{case.side} | {NAMES[peer]}"
    if "failed" in result:
        reason = brief(result["failed"]).replace("|", "\\|")
        return f"{head} | — | | | | | {reason} |"
    ratio = result["ratio"]
    interval = "—" if ratio["low"] is None else f"{ratio['low']:.2f}–{ratio['high']:.2f}"
    samples = len(result["peer_samples_ms"])
    note = f"{intervals.verdict(ratio)}, n = {samples}, errors {result['peer_error']:.0e} and {result['mirage_error']:.0e}"
    if result["load"] > result["key"]["threads"] + 1:
        note += f"; the machine was busy with other work (load {result['load']:.0f})"
    return (
        f"{head} | {result['mode']} | {milliseconds(result['peer_ms'])} | {milliseconds(result['mirage_ms'])} "
        f"| {ratio['estimate']:.2f}× | {interval} | {note} |"
    )


def modes(case, content):
    """A line of how every mode of every peer did by itself."""
    screens = content["screens"].items()
    told = [f"{m} {milliseconds(s['ms'])}" if "ms" in s else f"{m} failed" for m, s in screens]
    return f"- {case.name}: {', '.join(told)}" if told else None


def markdown(settings, contents):
    here, versions = machine.describe(), machine.versions(settings.mirage)
    lines = [
        f"{here['processor']} ({here['cores']} cores, {here['memory_bytes'] / 2**30:.0f} GiB, "
        f"{' '.join(f for f in here['vector_extensions'] if f in ('avx2', 'avx512f', 'avx512_bf16', 'amx_bf16', 'avx512_fp16'))}), "
        f"{datetime.date.today()}. {versions['mirage']} ({versions['commit']}), "
        f"PyTorch {versions['torch']}, ONNX Runtime {versions['onnxruntime']}, OpenVINO {versions['openvino']}.",
        "",
        f"One forward pass, batch 1, {settings.threads} threads each, the same weights (seed {settings.seed}) and inputs; f32 in "
        f"and out. Mirage's backend: `{settings.backend}`; its passes: `{settings.passes}`, after `bf16` or `fp16` in those rows. Each pair takes "
        "turns, ABBA, in processes of their own; times are medians. The ratio is the peer's time by Mirage's: "
        "above 1 Mirage is faster. Errors are the peer's and Mirage's, of the largest value of PyTorch's f32 output. What is fair and "
        "what is not: [benches/peers/README.md](https://github.com/mirage-video/mirage/blob/main/benches/peers/README.md).",
        "",
        "| network | dtype | size | against | its best way | its ms | Mirage ms | ratio | 95 % | |",
        "|---|---|---|---|---|--:|--:|--:|---|---|",
    ]
    for case, content in contents:
        peers = [p for p in engines.PEERS if p in content["peers"]]
        lines += [row(case, peer, content["peers"][peer]) for peer in peers]
    told = [line for case, content in contents if (line := modes(case, content))]
    if told:
        lines += ["", "Ways of using a peer, each by itself, in milliseconds; the best one took the turns:", ""]
        lines += told
    return "\n".join(lines) + "\n"


def write(settings, contents):
    text = markdown(settings, contents)
    everything = {
        "format": "mirage-peers",
        "schema": 1,
        "machine": machine.describe(),
        "versions": machine.versions(settings.mirage),
        "threads": settings.threads,
        "seed": settings.seed,
        "backend": settings.backend,
        "bounds": cases.BOUNDS,
        "cases": [content for _, content in contents],
    }
    whole(settings.json, lambda path: path.write_text(json.dumps(everything, indent=1)))
    whole(settings.markdown, lambda path: path.write_text(text))
    if settings.into is not None:
        insert(settings.into, text)


def insert(page, text):
    """Puts the table between the page's marks, or under a heading at its end."""
    content = page.read_text()
    table = f"{BEGIN}\n\n{text}\n{END}"
    if BEGIN in content and END in content:
        before, rest = content.split(BEGIN, 1)
        content = before + table + rest.split(END, 1)[1]
    else:
        content = f"{content.rstrip()}\n\n## Peers, side by side\n\n{table}\n"
    whole(page, lambda path: path.write_text(content))
