"""Results of a case in a file, so that a run which was stopped goes on where it was."""

import json

from material import whole

SCHEMA = 1


class Store:
    """What is known of one case with one of Mirage's backends. A measurement counts as done only for the
    same program, plugin, passes, threads and seed; a mode's own time does not depend on the program."""

    @staticmethod
    def file(settings, case):
        return settings.data / "results" / f"{case.name}{settings.suffix()}.json"

    @classmethod
    def exists(cls, settings, case):
        return cls.file(settings, case).exists()

    def __init__(self, settings, case, config):
        self.path = self.file(settings, case)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.config = config
        self.key = {
            "program": settings.program,
            "passes": case.passes(settings.passes),
            "threads": settings.threads,
            "seed": settings.seed,
        }
        self.again = settings.again
        fresh = {"schema": SCHEMA, "case": vars(case) | {"name": case.name}, "screens": {}, "peers": {}}
        self.content = json.loads(self.path.read_text()) if self.path.exists() else fresh
        if self.content.get("schema") != SCHEMA:
            self.content = fresh
        self.content |= {"shape": [1, 3, case.side, case.side], "passes": self.key["passes"]}

    def has_screen(self, mode):
        return not self.again and mode in self.content["screens"]

    def screen(self, mode):
        return self.content["screens"][mode]

    def save_screen(self, mode, result):
        self.content["screens"][mode] = result
        self.save()

    def has_peer(self, peer):
        return not self.again and peer in self.current()["peers"]

    def current(self):
        """The content without what another program, other passes, threads or another seed gave."""
        peers = self.content["peers"].items()
        return self.content | {"peers": {p: result for p, result in peers if result["key"] == self.key}}

    def save_peer(self, peer, result):
        self.content["peers"][peer] = result | {"key": self.key}
        self.save()

    def save(self):
        whole(self.path, lambda path: path.write_text(json.dumps(self.content, indent=1)))
