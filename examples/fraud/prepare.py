#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Card transactions of the Fraud Detection Handbook's simulator as tables for ten banks.

  prepare.py TRANSACTIONS.csv[.gz] FOLDER

A bank acquires the transactions at its terminals, and each feature is what that bank alone knows at
the moment of the transaction: it looks back at transactions of its own only, and learns of a fraud
seven days later. Banks are of unequal size: the n-th has n parts in 55 of the terminals.

FOLDER/transactions.csv has the days 8 to 21, FOLDER/test/transactions.csv the days 22 to 28; before
that there is too little to look back at.
"""
import collections
import csv
import datetime
import gzip
import os
import sys

BANKS = 10
PARTS = BANKS * (BANKS + 1) // 2
DAY = 86400
DELAY = 7 * DAY  # until a fraud is known
WINDOWS = (1, 7)  # days to look back
FIRST_DAY, TEST_DAY, LAST_DAY = 7, 21, 27  # from 0
COLUMNS = ["bank", "amount", "weekend", "night",
           *(f"customer_{what}_{days}d" for days in WINDOWS for what in ("count", "mean")),
           *(f"terminal_{what}_{days}d" for days in WINDOWS for what in ("count", "risk")), "fraud"]


class Window:
    """Count and sum of what happened at most so many seconds before now, and not in the delay."""

    def __init__(self, seconds, delay=0):
        self.seconds, self.delay = seconds, delay
        self.waiting, self.inside = collections.deque(), collections.deque()
        self.sum = 0 # a whole number, so that nothing is left of what has gone

    def add(self, now, value):
        self.waiting.append((now, value))

    def mean(self, now):
        while self.waiting and self.waiting[0][0] <= now - self.delay:
            self.inside.append(self.waiting.popleft())
            self.sum += self.inside[-1][1]
        while self.inside and self.inside[0][0] <= now - self.delay - self.seconds:
            self.sum -= self.inside.popleft()[1]
        count = len(self.inside)
        return count, self.sum / count if count else 0


def bank_of(terminal, terminals):
    part = terminal * PARTS // terminals
    bank = 1
    while part >= bank * (bank + 1) // 2:
        bank += 1
    return bank


def windows(delay=0):
    return collections.defaultdict(lambda: [Window(days * DAY, delay) for days in WINDOWS])


def rows(transactions, terminals):
    spent, frauds = windows(), windows(DELAY)
    start = None
    for row in transactions:
        time = datetime.datetime.fromisoformat(row["TX_DATETIME"])
        start = start or time.replace(hour=0, minute=0, second=0)
        now = (time - start).total_seconds()
        bank = bank_of(int(row["TERMINAL_ID"]), terminals)
        cents, fraud = round(float(row["TX_AMOUNT"]) * 100), int(row["TX_FRAUD"])
        customer = spent[bank, row["CUSTOMER_ID"]]
        terminal = frauds[row["TERMINAL_ID"]]
        for window in customer:
            window.add(now, cents)
        found = [f"{figure:g}" for window in customer
                 for figure in (window.mean(now)[0], window.mean(now)[1] / 100)]
        found += [f"{figure:g}" for window in terminal for figure in window.mean(now)]
        for window in terminal:
            window.add(now, fraud)
        yield int(now // DAY), [bank, row["TX_AMOUNT"], int(time.weekday() >= 5), int(time.hour <= 6),
                                *found, fraud]


def main(source, folder):
    opened = gzip.open if source.endswith(".gz") else open
    with opened(source, "rt", newline="") as stream:
        transactions = list(csv.DictReader(stream))
    terminals = max(int(row["TERMINAL_ID"]) for row in transactions) + 1
    os.makedirs(os.path.join(folder, "test"), exist_ok=True)
    with open(os.path.join(folder, "transactions.csv"), "w", newline="") as training, \
            open(os.path.join(folder, "test", "transactions.csv"), "w", newline="") as test:
        writers = [csv.writer(training), csv.writer(test)]
        for writer in writers:
            writer.writerow(COLUMNS)
        for day, row in rows(transactions, terminals):
            if FIRST_DAY <= day <= LAST_DAY:
                writers[day >= TEST_DAY].writerow(row)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
