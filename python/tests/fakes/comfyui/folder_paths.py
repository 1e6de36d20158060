user_directory = "/nowhere"
output_directory = "/nowhere"
approx = []
models = {}
"""Paths by folder and name."""


def get_user_directory():
    return user_directory


def get_output_directory():
    return output_directory


def get_folder_paths(name):
    return {"vae_approx": approx}[name]


def get_full_path(folder, name):
    return models.get((folder, name))
