"""The engines. Each makes of a network a callable that runs one forward pass on inputs it holds.

A mode is a way of using an engine; a peer's modes are all tried and its best is what Mirage is compared
with. Every mode takes f32 pictures and gives f32 pictures, as Mirage does: converting to the dtype and
back is part of the pass.
"""

import hashlib
import pathlib

import torch
from safetensors.torch import load_file

import networks

PEERS = {
    "eager": ("eager", "eager-channels-last"),
    "compile": ("compile", "compile-frozen", "compile-max-autotune"),
    "onnxruntime": ("onnx-opset18", "onnx-opset23"),
    "openvino": ("openvino",),
}
# Modes that are known to write attention's scores out in full.
MATERIALIZES = {"onnx-opset18", "onnx-opset23"}
TORCH_DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Unsupported(Exception):
    """The engine does not do what the case asks for."""


def load(config, weights, dtype):
    """The network with its weights, for inference. No weight is drawn first, and the file is the memory."""
    with torch.device("meta"):
        network = networks.build(config)
    tensors = load_file(weights)
    missing, unused = network.load_state_dict(tensors, strict=False, assign=True)
    missing = [key for key in missing if not key.endswith(".num_batches_tracked")]
    if missing or unused:
        raise ValueError(f"{weights} does not fit: missing {missing[:5]}, unused {unused[:5]}")
    # Counters of training, which no file of Mirage's has and nothing reads.
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.num_batches_tracked = torch.tensor(0)
    return network.to(TORCH_DTYPES[dtype]).eval().requires_grad_(False)


def as_numpy(names, results):
    return {name: result.numpy() for name, result in zip(names, results)}


def torch_mode(network, inputs, mode):
    """PyTorch itself, or compiled by TorchInductor."""
    inputs = [torch.from_numpy(inputs[name]) for name in network.INPUTS]
    if mode.endswith("channels-last"):
        network = network.to(memory_format=torch.channels_last)
        pictures = {"memory_format": torch.channels_last}
        inputs = [x.contiguous(**pictures) if x.dim() == 4 else x for x in inputs]
    run = network
    if mode.startswith("compile"):
        # Freezing folds constants, batch norms among them, and lays weights out once. Autotuning chooses
        # among kernels of products only where weights are constants, so it comes with it.
        torch._inductor.config.freezing = mode != "compile"
        run = torch.compile(network, mode="max-autotune" if mode == "compile-max-autotune" else None)

    # Not inference_mode: freezing needs tensors that have versions.
    @torch.no_grad()
    def forward():
        return run(*inputs)

    return forward, lambda results: as_numpy(network.OUTPUTS, results)


def onnx_file(network, inputs, mode, key, cache):
    """The network as ONNX, exported once and kept."""
    opset = int(mode.removeprefix("onnx-opset"))
    sources = sorted(pathlib.Path(networks.__file__).parent.glob("*.py"))
    known = [key, str(opset), torch.__version__, *(source.read_text() for source in sources)]
    name = hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]
    folder = pathlib.Path(cache, "onnx", name)
    path = folder / "network.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        arguments = tuple(torch.from_numpy(inputs[name]) for name in network.INPUTS)
        program = torch.onnx.export(
            network,
            arguments,
            dynamo=True,
            opset_version=opset,
            verbose=False,
            input_names=list(network.INPUTS),
            output_names=[f"out_{name}" for name in network.OUTPUTS],
        )
        partial = folder / "partial.onnx"
        program.save(partial, external_data=True)
        # The weights lie beside it under the name that the file knows, so only this is renamed.
        partial.rename(path)
    return path


def onnx_mode(network, inputs, mode, key, cache, threads):
    import onnxruntime

    path = onnx_file(network, inputs, mode, key, cache)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    except Exception as error:
        raise Unsupported(f"ONNX Runtime does not take the network: {first_line(error)}") from error
    taken = {port.name for port in session.get_inputs()}
    feed = {name: inputs[name] for name in network.INPUTS if name in taken}
    names = list(network.OUTPUTS)
    return lambda: session.run(None, feed), lambda results: dict(zip(names, results))


def openvino_mode(network, inputs, dtype, threads):
    """The network in f32 with the precision as a hint, which is how OpenVINO wants it asked for."""
    import openvino

    arguments = tuple(torch.from_numpy(inputs[name]) for name in network.INPUTS)
    with torch.no_grad():
        model = openvino.convert_model(network, example_input=arguments)
    shapes = zip(model.inputs, network.INPUTS)
    model.reshape({port: list(inputs[name].shape) for port, name in shapes})
    precision = {"f32": "f32", "bf16": "bf16", "fp16": "f16"}[dtype]
    compiled = openvino.compile_model(
        model,
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": precision,
        },
    )
    used = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if used != precision:
        raise Unsupported(f"OpenVINO computes in {used} on this processor when asked for {precision}")
    request = compiled.create_infer_request()
    feed = [inputs[name] for name in network.INPUTS]

    def forward():
        return request.infer(feed, share_inputs=True, share_outputs=True)

    def outputs(results):
        return {name: results[at].copy() for at, name in enumerate(network.OUTPUTS)}

    return forward, outputs


def first_line(error):
    return (str(error).strip().splitlines() or ["no reason given"])[0][:300]


def prepare(config, weights, inputs, dtype, mode, key, cache, threads):
    """A callable that runs the network once, and one that makes named arrays of what that gave."""
    torch.set_num_threads(threads)
    network = load(config, weights, "f32" if mode == "openvino" else dtype)
    if mode.startswith("onnx"):
        return onnx_mode(network, inputs, mode, key, cache, threads)
    if mode == "openvino":
        return openvino_mode(network, inputs, dtype, threads)
    return torch_mode(network, inputs, mode)
