user_directory = "/nowhere"
output_directory = "/nowhere"
approx = []


def get_user_directory():
    return user_directory


def get_output_directory():
    return output_directory


def get_folder_paths(name):
    return {"vae_approx": approx}[name]
