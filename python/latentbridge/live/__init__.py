"""The live view: a run's pictures on a second screen, a phone or in OBS, from any step of it.

Where things are: ``board`` is what there is to see, ``feeds`` what a client gets that stays, ``answers`` maps paths to answers and knows no
web framework, ``page.html`` is the page. ComfyUI and A1111 answer on their own servers; scripts use ``server``:

    view = latentbridge.live.serve()
    print(view.url)
    bridge = Bridge(on_preview=view.board.arrived, on_latent=view.board.sent)
    view.board.bridge = lambda: bridge
"""

from .board import Board
from .server import Server, serve

__all__ = ["Board", "Server", "serve"]
