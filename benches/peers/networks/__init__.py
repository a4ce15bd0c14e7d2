"""The networks in PyTorch: what the other engines run. Each takes the weights that Mirage exports."""

from . import live_stream_unet, stress


def build(config):
    """The network of a model's configuration, as `mirage models show NAME --json` has it under `config`."""
    kind = config["network"]["kind"]
    if kind == "stress":
        return stress.StressNetwork(
            config["network"]["base_channels"], config["schedule"]["train_timesteps"]
        )
    if kind == "live-stream-unet":
        return live_stream_unet.LiveStreamUNet(config["network"])
    raise ValueError(f"there is no twin of a network of the kind {kind}")
