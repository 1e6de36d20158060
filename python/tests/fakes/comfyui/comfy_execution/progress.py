import enum


class NodeState(enum.Enum):
    Running = "running"
    Finished = "finished"


class ProgressHandler:
    def __init__(self, name):
        self.name = name
        self.enabled = True

    def set_registry(self, registry):
        pass

    def start_handler(self, node_id, state, prompt_id):
        pass

    def update_handler(self, node_id, value, max_value, state, prompt_id, image=None):
        pass

    def finish_handler(self, node_id, state, prompt_id):
        pass

    def reset(self):
        pass


class Graph:
    nodes = {}

    def get_node(self, node_id):
        return self.nodes[node_id]

    def get_display_node_id(self, node_id):
        return f"shown {node_id}"

    def get_parent_node_id(self, node_id):
        return None

    def get_real_node_id(self, node_id):
        return f"real {node_id}"


class ProgressRegistry:
    def __init__(self, prompt_id):
        self.prompt_id = prompt_id
        self.dynprompt = Graph()
        self.nodes = {}
        self.handlers = {}

    def register_handler(self, handler):
        self.handlers[handler.name] = handler

    def start_progress(self, node_id):
        self.nodes[node_id] = {"state": NodeState.Running, "value": 0, "max": 1}

    def update_progress(self, node_id, value, max_value, image=None):
        self.nodes[node_id] = entry = {"state": NodeState.Running, "value": value, "max": max_value}
        for handler in self.handlers.values():
            handler.update_handler(node_id, value, max_value, entry, self.prompt_id, image)

    def finish_progress(self, node_id):
        self.nodes[node_id]["state"] = NodeState.Finished
        for handler in self.handlers.values():
            handler.finish_handler(node_id, self.nodes[node_id], self.prompt_id)


_registry = ProgressRegistry("")


def reset_progress_state(prompt_id):
    global _registry
    for handler in _registry.handlers.values():
        handler.reset()
    _registry = ProgressRegistry(prompt_id)


def get_progress_state():
    return _registry


def add_progress_handler(handler):
    _registry.register_handler(handler)
    handler.set_registry(_registry)
