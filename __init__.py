"""ComfyUI loads this folder as a node pack when it lies in ``custom_nodes``. Whatever else imports it gets two empty tables."""

import sys

NODE_CLASS_MAPPINGS: dict = {}
NODE_DISPLAY_NAME_MAPPINGS: dict = {}

if "latent_preview" in sys.modules and __package__:
    from .python.latentbridge.integrations import comfyui

    if comfyui.install():
        WEB_DIRECTORY = "./web"
