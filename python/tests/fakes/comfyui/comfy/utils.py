PROGRESS_BAR_HOOK = None


class ProgressBar:
    def __init__(self, total):
        self.total = total

    def update_absolute(self, value, total=None, preview=None):
        PROGRESS_BAR_HOOK(value, total or self.total, preview)
