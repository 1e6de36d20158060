"""Fakes of A1111 1.6, A1111 1.10, Forge, reForge and Forge neo: the part of their ``modules`` that live previews go through.

Names, signatures and order of events are theirs (docs/a1111.md says of which versions); the code is ours.
"""

from __future__ import annotations

import base64
import functools
import io
import math
import sys
import types
from contextlib import contextmanager

from PIL import Image

KINDS = ("a1111-1.6", "a1111", "forge", "reforge", "neo")
MODULES = ("shared", "shared_state", "sd_samplers_common", "sd_samplers", "script_callbacks", "images", "paths", "processing",
           "scripts", "api", "api.models")
VAE = object()
"""What the VAE itself decodes to."""


class OptionInfo:
    def __init__(self, default=None, label="", component=None, component_args=None, onchange=None, section=None, refresh=None):
        self.default, self.label, self.component, self.component_args = default, label, component, component_args
        self.section, self.comment_after, self.do_not_save = section, "", False

    def info(self, info):
        self.comment_after += f"<span class='info'>({info})</span>"
        return self


class OptionHTML(OptionInfo):
    def __init__(self, text):
        super().__init__(text)
        self.do_not_save = True


class Options:
    def __init__(self, data_labels):
        self.data_labels = data_labels
        self.data = {name: label.default for name, label in data_labels.items()}

    def __getattr__(self, name):
        if name in self.__dict__.get("data", {}):
            return self.data[name]
        if name in self.__dict__.get("data_labels", {}):
            return self.data_labels[name].default
        raise AttributeError(name)

    def set(self, **values):
        self.data.update(values)

    def add_option(self, key, info):
        self.data_labels[key] = info
        if not info.do_not_save:
            self.data.setdefault(key, info.default)


class FakeUi:
    """One fake UI. ``decodes`` counts what the UI decoded itself, by (thread, method's number)."""

    def __init__(self, kind="a1111"):
        self.kind = kind
        self.decodes = []
        self.callbacks = {"before_ui": [], "app_started": [], "script_unloaded": [], "cfg_after_cfg": []}
        methods = ["Full", "Approx NN", "Approx cheap", "TAESD"][kind in ("forge", "reforge"):]
        if kind == "neo":
            methods = ("Approx NN", "RGB", "TAESD")
        self.modules = {name: types.ModuleType(f"modules.{name}") for name in MODULES}
        shared = self.modules["shared"]
        shared.OptionInfo, shared.OptionHTML = OptionInfo, OptionHTML
        shared.opts = Options({
            "live_previews_enable": OptionInfo(True),
            "live_previews_image_format": OptionInfo("png"),
            "show_progress_grid": OptionInfo(True),
            "show_progress_every_n_steps": OptionInfo(1),
            "show_progress_type": OptionInfo("Approx NN", component_args={"choices": methods}),
            "live_preview_fast_interrupt": OptionInfo(False),
            "n_rows": OptionInfo(-1),
            "grid_prevent_empty_spots": OptionInfo(False),
        })
        shared.parallel_processing_allowed = True
        shared.sd_model = types.SimpleNamespace(is_sd1=True, is_sd2=False, is_sdxl=False, is_sd3=False)
        self._add_state(shared)
        self._add_samplers(shared)
        self._add_callbacks()
        self.modules["images"].image_grid = image_grid = functools.partial(_image_grid, shared)
        self.modules["sd_samplers"].samples_to_image_grid = lambda samples: image_grid([self.decode(s) for s in samples])
        self.modules["sd_samplers"].sample_to_image = lambda samples, index=0: self.decode(samples[index])
        if kind == "neo":
            self.modules["sd_samplers_common"].sample_to_video = self.modules["sd_samplers"].sample_to_video = self.decode_video
        self.modules["processing"].opt_f = 8
        if kind in ("forge", "neo"):
            self.modules["api.models"].OptionsModel = type("Options", (), {"__fields__": {name: None for name in shared.opts.data_labels}})
        self.modules["paths"].models_path = "models"
        self.modules["paths"].data_path = "."
        self.modules["scripts"].AlwaysVisible = object()
        self.modules["scripts"].Script = type("Script", (), {})
        self.opts, self.state, self.samplers = shared.opts, shared.state, self.modules["sd_samplers_common"]

    def decode(self, sample):
        self.decodes.append(self.samplers.samples_to_images_tensor([sample]))
        return Image.new("RGB", (len(sample[0][0]), len(sample[0])), (0, 0, 200))

    def decode_video(self, sample):
        """A GIF of all frames."""
        self.decodes.append("video")
        file = io.BytesIO()
        first, *others = [Image.new("RGB", (8, 8), (40 * frame, 0, 0)) for frame in range(sample.shape[2])]
        first.save(file, "GIF", save_all=True, append_images=others, duration=62, loop=0)
        return Image.open(file)

    def _add_state(self, shared):
        ui = self

        class State:
            def __init__(self):
                self.job, self.job_no, self.job_count, self.job_timestamp = "", 0, 0, "0"
                self.sampling_step = self.sampling_steps = self.current_image_sampling_step = 0
                self.current_latent = self.current_image = None
                self.id_live_preview = 0
                self.interrupted = self.skipped = False
                self.textinfo = None

            def begin(self, job="(unknown)"):
                self.job, self.job_no, self.job_count = job, 0, -1
                self.sampling_step = self.current_image_sampling_step = 0
                self.current_latent = self.current_image = None
                self.id_live_preview = 0
                self.interrupted = self.skipped = False
                self.textinfo = None

            def interrupt(self):
                self.interrupted = True

            def end(self):
                self.job, self.job_count = "", 0

            def nextjob(self):
                if shared.opts.live_previews_enable and shared.opts.show_progress_every_n_steps == -1:
                    self.do_set_current_image()
                self.job_no += 1
                self.sampling_step = self.current_image_sampling_step = 0

            def set_current_image(self):
                if not shared.parallel_processing_allowed:
                    return
                every = shared.opts.show_progress_every_n_steps
                if self.sampling_step - self.current_image_sampling_step >= every and shared.opts.live_previews_enable and every != -1:
                    self.do_set_current_image()

            def do_set_current_image(self):
                if self.current_latent is None:
                    return
                samplers = ui.modules["sd_samplers"]
                if ui.kind == "neo" and self.current_latent.ndim == 5 and self.current_latent.shape[2] > 1:
                    self.assign_current_image(samplers.sample_to_video(self.current_latent))
                    self.current_image_sampling_step = self.sampling_step
                    return
                show = samplers.samples_to_image_grid if shared.opts.show_progress_grid else samplers.sample_to_image
                self.assign_current_image(show(self.current_latent))
                self.current_image_sampling_step = self.sampling_step

            def assign_current_image(self, image):
                self.current_image = image
                self.id_live_preview += 1

        self.modules["shared_state"].State = State
        shared.state = State()

    def _add_samplers(self, shared):
        samplers = self.modules["sd_samplers_common"]
        samplers.approximation_indexes = {"Full": 0, "Approx NN": 1, "Approx cheap": 2, "TAESD": 3}
        if self.kind == "reforge":
            samplers.approximation_indexes["Approx PCA"] = 4
        if self.kind == "neo":
            samplers.approximation_indexes = {"Full": 0, "Approx NN": 1, "RGB": 2, "TAESD": 3}

        def samples_to_images_tensor(sample, approximation=None, model=None):
            """Here the method's number, or ``VAE``, in place of pictures."""
            if approximation is None or (shared.state.interrupted and shared.opts.live_preview_fast_interrupt):
                approximation = samplers.approximation_indexes.get(shared.opts.show_progress_type, 0)
                if approximation == 0 and self.kind != "a1111":
                    approximation = 2 if self.kind == "neo" else 1
            return approximation if approximation in (1, 2, 3) else VAE

        samplers.samples_to_images_tensor = samples_to_images_tensor

        def store_latent(decoded):
            shared.state.current_latent = decoded
            every = shared.opts.show_progress_every_n_steps
            if shared.opts.live_previews_enable and every > 0 and shared.state.sampling_step % every == 0:
                if not shared.parallel_processing_allowed:
                    shared.state.assign_current_image(self.decode(decoded[0]))

        samplers.store_latent = store_latent

    def _add_callbacks(self):
        callbacks = self.modules["script_callbacks"]

        def registrar(category):
            if self.kind == "a1111-1.6":
                return lambda callback: self.callbacks[category].append(callback)
            return lambda callback, *, name=None: self.callbacks[category].append(callback)

        def add_callback(callbacks, fun, *, name=None, category="unknown", filename=None):
            callbacks.append(fun)

        def add_callback_of_1_6(callbacks, fun):
            callbacks.append(fun)

        callbacks.callback_map = {f"callbacks_{category}": found for category, found in self.callbacks.items()}
        callbacks.add_callback = add_callback_of_1_6 if self.kind == "a1111-1.6" else add_callback
        for category in self.callbacks:
            setattr(callbacks, f"on_{category}", registrar(category))

    @contextmanager
    def running(self):
        """The modules are in place as while the UI runs."""
        package = types.ModuleType("modules")
        package.__path__ = []
        for name, module in self.modules.items():
            setattr(package, name.replace(".", "_"), module)
        gradio = types.SimpleNamespace(Slider="slider", Radio="radio", Dropdown="dropdown", Checkbox="checkbox")
        pydantic = types.SimpleNamespace(Field=lambda **named: named, create_model=_create_model)
        names = {"gradio": gradio, "pydantic": pydantic, "modules": package, **{f"modules.{name}": module for name, module in self.modules.items()}}
        before = {name: sys.modules.get(name) for name in names}
        sys.modules.update(names)
        try:
            yield self
        finally:
            for name, module in before.items():
                if module is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = module

    def unload(self):
        """Reload UI, up to the point where scripts are loaded again."""
        for callback in reversed(self.callbacks["script_unloaded"]):
            callback()
        for callbacks in self.callbacks.values():
            callbacks.clear()

    def after_cfg(self, x0):
        """The model's guided x0, as the scripts leave it."""
        params = types.SimpleNamespace(x=x0, sampling_step=self.state.sampling_step, total_sampling_steps=self.state.sampling_steps)
        for callback in self.callbacks["cfg_after_cfg"]:
            callback(params)
        return params.x

    # --- a job -------------------------------------------------------------------------------------------------------

    def sample(self, latents, steps=None):
        """One sampling as a sampler of k-diffusion does it; yields after each model call, with the step's number."""
        self.state.sampling_steps = steps or len(latents)
        self.state.sampling_step = 0
        for step, latent in enumerate(latents):
            self.samplers.store_latent(latent)
            yield step
            self.state.sampling_step, self.state.preview_step = step, step + 1

    def poll(self, last=0):
        """POST /internal/progress: what the page gets, as (id, media type, bytes), None without a new picture."""
        opts, state = self.opts, self.state
        if not opts.live_previews_enable:
            return None
        state.set_current_image()
        if state.id_live_preview == last or state.current_image is None:
            return None
        file, format, image = io.BytesIO(), opts.live_previews_image_format, state.current_image
        options = {}
        if self.kind == "neo" and getattr(image, "is_animated", False):
            format, options = "gif", {"save_all": True, "loop": 0}
        elif self.kind == "neo" and format != "png":
            image = image.convert("RGB")
        if format == "png":
            options = {"optimize": True} if max(*image.size) <= 256 else {"optimize": False, "compress_level": 1}
        image.save(file, format=format, **options)
        encoded = base64.b64encode(file.getvalue()).decode("ascii")
        return state.id_live_preview, f"image/{format}", base64.b64decode(encoded)


def _create_model(name, *, __base__, **fields):
    return type(name, (__base__,), {"__fields__": {**__base__.__fields__, **fields}})


def _image_grid(shared, images, batch_size=1, rows=None):
    opts, count = shared.opts, len(images)
    if rows is None:
        if opts.n_rows > 0:
            rows = opts.n_rows
        elif opts.n_rows == 0:
            rows = batch_size
        elif opts.grid_prevent_empty_spots:
            rows = math.floor(math.sqrt(count))
            while count % rows:
                rows -= 1
        else:
            rows = round(math.sqrt(count))
    rows = min(rows, count)
    columns = math.ceil(count / rows)
    width, height = images[0].size
    grid = Image.new("RGB", (columns * width, rows * height), "black")
    for i, image in enumerate(images):
        grid.paste(image, (i % columns * width, i // columns * height))
    return grid
