"""Ten days of Kong's access logs, ending now, with attacks among them, in any number of calls; the same seed makes the same calls.

A few hundred tokens call at their own steady pace, so that they have habits by the time they are attacked. A token's calls are all in one
partition, in order. The lines are as compact as Kong's shape allows, about 320 bytes.
"""

import random
import time

DAYS = 10
DAY_MS = 86_400_000
CALLS_PER_TOKEN = 2_500
FEWEST_TOKENS = 120
CONSUMERS = [f"team-{number:02}" for number in range(20)]
ROUTES = [("orders-list", "/v1/orders"), ("orders-get", "/v1/orders/{}"), ("stock-get", "/v1/stock/{}"), ("catalog", "/v1/catalog")]
ADMIN = ("admin-users", "/admin/users")
AGENT, THIEF_AGENT = "acme-sdk/2.1", "curl/8.5.0"
THIEF_ADDRESS = "41.190.2.77"
# How many tokens are attacked in each way.
ATTACKS = {"refused": 12, "spike": 8, "out_of_scope": 8, "elsewhere": 6, "stolen": 6}

# What every consumer may do; the routes of ADMIN are not among it.
POLICY = f"""
[detectors.out_of_scope]
privileged = ["/admin/{{*rest}}"]

[[detectors.out_of_scope.policies]]
consumers = {CONSUMERS}
allow = [{{ routes = ["/v1/{{*rest}}"] }}]
"""


class Token:
    def __init__(self, number, random):
        self.number, self.random = number, random
        self.address = f"5.9.{number // 250}.{number % 250 + 1}"
        self.calls = []

    def call(self, at, route=None, status=200, address=None, agent=AGENT):
        name, path = route or self.random.choice(ROUTES)
        self.calls.append((int(at), name, path.format(self.random.randrange(1_000)), status, address or self.address, agent))

    def habit(self, start, end, count):
        pace = (end - start) / count
        for number in range(count):
            status = 404 if self.random.random() < 0.003 else 200
            self.call(start + (number + self.random.random()) * pace, status=status)

    def attack(self, kind, start, end):
        """Habits are needed for what differs from them: those attacks come in the last day and a half."""
        late = end - 1.5 * DAY_MS
        earliest = start if kind in ("refused", "out_of_scope") else late
        at = self.random.uniform(earliest, end - 7_200_000)
        if kind == "refused":
            for second in range(80):
                self.call(at + second * 600, status=401)
        elif kind == "spike":
            for number in range(800):
                self.call(at + number * 500)
        elif kind == "out_of_scope":
            for number in range(6):
                self.call(at + number * 20_000, ADMIN, 403)
        elif kind == "elsewhere":
            for number in range(30):
                self.call(at + number * 90_000, address=THIEF_ADDRESS, agent=THIEF_AGENT)
        elif kind == "stolen":
            for number in range(20):
                self.call(at + number * 10_000)
                self.call(at + number * 10_000 + 4_000, address=THIEF_ADDRESS, agent=THIEF_AGENT)
            for number in range(5):
                self.call(at + 200_000 + number * 5_000, ADMIN, 200, THIEF_ADDRESS, THIEF_AGENT)

    def consumer(self):
        return CONSUMERS[self.number % len(CONSUMERS)]

    def line(self, call):
        at, name, path, status, address, agent = call
        return (
            f'{{"request":{{"id":"{self.random.getrandbits(64):016x}","method":"GET","uri":"{path}","size":312,"headers":{{"host":"api.example.com",'
            f'"user-agent":"{agent}"}}}},"response":{{"status":{status},"size":1873}},"latencies":{{"request":34}},"route":{{"name":"{name}"}},'
            f'"authenticated_entity":{{"id":"credential-{self.number:04}"}},"consumer":{{"username":"{self.consumer()}"}},"client_ip":"{address}","started_at":{at}}}\n'
        )


def write(directory, events, partitions, seed):
    """Writes one file of lines per partition; returns their paths."""
    directory.mkdir()
    end = int(time.time() * 1_000) - 60_000
    start = end - DAYS * DAY_MS
    chance = random.Random(seed)
    tokens = [Token(number, chance) for number in range(max(FEWEST_TOKENS, events // CALLS_PER_TOKEN))]
    kinds = [kind for kind, count in ATTACKS.items() for _ in range(count)]
    for token, kind in zip(tokens, kinds):
        token.attack(kind, start, end)
    # What the attacks leave is shared out evenly; the first ones get the rest.
    left = events - sum(len(token.calls) for token in tokens)
    for token in tokens:
        token.habit(start, end, left // len(tokens) + (token.number < left % len(tokens)))
    paths = []
    for partition in range(partitions):
        mine = [(call, token) for token in tokens if token.number % partitions == partition for call in token.calls]
        mine.sort(key=lambda pair: (pair[0][0], pair[1].number))
        path = directory / f"{partition}.ndjson"
        with path.open("w") as file:
            file.writelines(token.line(call) for call, token in mine)
        paths.append(path)
    return paths
