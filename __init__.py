"""ComfyUI loads this folder as a node pack when it lies in ``custom_nodes``, and InvokeAI when it lies in ``nodes``. Whatever else imports it gets no nodes."""

import sys

NODE_CLASS_MAPPINGS: dict = {}
NODE_DISPLAY_NAME_MAPPINGS = {
    "LatentBridgeDecode": "LatentBridge Decode",
    "LatentBridgeCompare": "LatentBridge Compare",
    "LatentBridgePreviewSettings": "LatentBridge Preview Settings",
    "LatentBridgeCorrection": "LatentBridge Correction",
}

if "latent_preview" in sys.modules and __package__:
    from .python.latentbridge.integrations import comfyui

    if (found := comfyui.install()) is not None:
        NODE_CLASS_MAPPINGS.update(found)
        WEB_DIRECTORY = "./web"
elif "invokeai.app.services.shared.invocation_context" in sys.modules and __package__:
    from .python.latentbridge.integrations import invokeai

    invokeai.install()
