#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_natural_clients.sh: the examples whose clients are a column's values run as their pages say,
# on a little made-up data of the same form: machines by product type, roles of plays, banks.
# shellcheck source=tests/e2e/harness.sh disable=SC2119
. "$(dirname "$0")/harness.sh"
examples=$here/../../examples

# example NAME MODEL… : its job with two rounds of two clients, beside its model.
example() {
  name=$1
  shift
  mkdir -p "$work/$name"
  sed 's/^  count: .*/  count: 2/; s/^  cohort: .*/  cohort: 2/; s/^  minimum: .*/  minimum: 2/' \
    "$examples/$name/job.yaml" >"$work/$name/job.yaml"
  model=$(sed -n 's/^  file: \(.*\.onnx\)/\1/p' "$work/$name/job.yaml")
  "$FED" model new "$@" --out "$work/$name/$model" --quiet
}
simulate() { # NAME MORE…
  name=$1
  shift
  expect 0 "$FED" simulate "$work/$name/job.yaml" --data "$work/data" --out "$work/$name/out" "$@"
}
mkdir "$work/data"

# ---- machines: 30 L, 20 M, 10 H -------------------------------------------------------------------
example machines mlp --input 5 --classes 2 --hidden 32,32
python3 - >"$work/data/ai4i2020.tsv" <<'MAKE'
print("UDI\tProduct ID\tType\tAir temperature [K]\tProcess temperature [K]\tRotational speed [rpm]"
      "\tTorque [Nm]\tTool wear [min]\tMachine failure\tTWF")
for i in range(60):
    print(i + 1, f"X{i}", "LLLMMH"[i % 6], 298.1 + i % 5, 308.6, 1400 + i, 42.8, i, int(i % 9 == 0),
          0, sep="\t")
MAKE
simulate machines --show-partition
said "3 clients by column:Type; 60 of 60 examples, 2 classes"
simulate machines
said "all rounds done after 2 rounds; 3 clients, 3 of them"

# ---- shakespeare: roles of the same name in two plays, one of them with too little to say ---------
example shakespeare lstm-char --classes 77 --hidden 4,8,1
python3 - >"$work/data/roles.jsonl" <<'MAKE'
import json
for play, role, count in ("hamlet", "HORATIO", 9), ("hamlet", "ALL", 6), ("macbeth", "ALL", 7), \
        ("macbeth", "Third Witch", 1):
    print(json.dumps({"play": play, "role": role, "speeches": ["All hail, Macbeth!\nHail to thee"] *
                      count}))
MAKE
# Joined by line feeds n speeches have 32 n - 1 characters, and so (32 n - 3) / 80 + 1 windows,
# rounded down: 4, 3, 3 and 1.
simulate shakespeare --show-partition --json
python3 - "$work/said" <<'CHECK'
import json, sys
shown = json.load(open(sys.argv[1]))
found = [(client["name"], client["examples"]) for client in shown["listed"]]
assert found == [("hamlet.ALL", 3), ("hamlet.HORATIO", 4), ("macbeth.ALL", 3)], found
assert shown["examples"] == 11 and shown["divided"] == 10, shown
CHECK
simulate shakespeare
said "all rounds done after 2 rounds; 3 clients, 3 of them"

# Both editions that roles.py reads, in the form that they have.
mkdir "$work/plays"
cat >"$work/pg100.txt" <<'END'
The Project Gutenberg eBook of The Complete Works of William Shakespeare

Title: The Complete Works of William Shakespeare

*** START OF THE PROJECT GUTENBERG EBOOK THE COMPLETE WORKS OF WILLIAM SHAKESPEARE ***

The Complete Works of William Shakespeare

by William Shakespeare

                    Contents

    THE SONNETS
    THE TRAGEDY OF HAMLET, PRINCE OF DENMARK
    LOVE’S LABOUR’S LOST


THE SONNETS

                    1

From fairest creatures we desire increase,
That thereby beauty’s rose might never die,

THE TRAGEDY OF HAMLET, PRINCE OF DENMARK

Contents

ACT I
Scene I. Elsinore. A platform before the Castle.
Scene II. Elsinore. A room of state in the Castle

Dramatis Personæ

HAMLET, Prince of Denmark
LORDS, LADIES AND OFFICERS.
Soldiers and sailors.

 SCENE. Elsinore.

ACT I

SCENE I. Elsinore. A platform before the Castle.

 Enter Francisco and Barnardo, two sentinels.

BARNARDO.
Who’s there?

FRANCISCO.
Nay, answer me. Stand and unfold yourself.

BARNARDO. [_Aside._]
Long live the King!

 Enter Horatio and
Marcellus.

    He comes — [_He looks
about._] most _carefully_.

FIRST CLOWN.
[_Exit._]

SCENE II. Elsinore. A room of state in the Castle.

FRANCISCO.
For this relief much thanks.

LOVE’S LABOUR’S LOST

ACT I

SCENE I. The King of Navarre’s park.

ARMADO.
Boy, what sign is it when a man of great spirit grows melancholy, Æneas?

*** END OF THE PROJECT GUTENBERG EBOOK THE COMPLETE WORKS OF WILLIAM SHAKESPEARE ***

ARMADO.
This is in no play.
END
cat >"$work/macbeth.xml" <<'END'
<?xml version="1.0"?>
<!DOCTYPE PLAY SYSTEM "play.dtd">
<PLAY><TITLE>The Tragedy of Macbeth</TITLE>
<PERSONAE><PERSONA>DUNCAN, king of Scotland.</PERSONA></PERSONAE>
<ACT><TITLE>ACT I</TITLE><SCENE><TITLE>SCENE I.  A desert place.</TITLE>
<STAGEDIR>Thunder and lightning. Enter three Witches</STAGEDIR>
<SPEECH><SPEAKER>First Witch</SPEAKER>
<LINE>When shall we three meet again</LINE>
<LINE><STAGEDIR>Aside</STAGEDIR> In thunder, lightning, or in rain?</LINE></SPEECH>
<SPEECH><SPEAKER>Second Witch</SPEAKER><LINE>When the hurlyburly's done,</LINE></SPEECH>
<SPEECH><SPEAKER>First Witch</SPEAKER><SPEAKER>Second Witch</SPEAKER>
<LINE>Fair is foul</LINE></SPEECH>
</SCENE></ACT></PLAY>
END
"$examples/shakespeare/roles.py" "$work/pg100.txt" "$work/macbeth.xml" "$work/plays/roles.jsonl" \
  >"$work/said"
said "5 roles of 3 plays"
python3 - "$work/plays/roles.jsonl" <<'CHECK'
import json, sys
found = [tuple(json.loads(line).values()) for line in open(sys.argv[1], encoding="ascii")]
hamlet, lost = "the_tragedy_of_hamlet_prince_of_denmark", "loves_labours_lost"
assert found == [
    (hamlet, "BARNARDO", ["Who's there?", "Long live the King!\nHe comes - most carefully."]),
    (hamlet, "FRANCISCO", ["Nay, answer me. Stand and unfold yourself.",
                           "For this relief much thanks."]),
    (lost, "ARMADO", ["Boy, what sign is it when a man of great spirit grows melancholy, AEneas?"]),
    ("macbeth", "First Witch", ["When shall we three meet again\nIn thunder, lightning, or in rain?",
                                "Fair is foul"]),
    ("macbeth", "Second Witch", ["When the hurlyburly's done,", "Fair is foul"])], found
CHECK
! "$examples/shakespeare/roles.py" "$here/harness.sh" "$work/nothing.jsonl" 2>"$work/said" ||
  fail "a text without plays was taken"
said "there is no list of contents"

# ---- fraud: the handbook's columns, made into features --------------------------------------------
example fraud mlp --input 11 --classes 2 --hidden 32,16
python3 - >"$work/transactions.csv" <<'MAKE'
import datetime
print("TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD,TX_FRAUD_SCENARIO")
for i in range(28 * 20): # twenty a day; terminal 0 is the first bank's, 54 the last one's
    time = datetime.datetime(2018, 7, 1) + datetime.timedelta(minutes=72 * i)
    print(i, time.isoformat(), i % 7, i * 13 % 55, f"{10 + i % 3}.50", int(i % 25 == 0), 0, sep=",")
MAKE
"$examples/fraud/prepare.py" "$work/transactions.csv" "$work/data"
python3 - "$work/transactions.csv" "$work/data" <<'CHECK'
import csv, datetime, sys
day = datetime.timedelta(days=1)
source = list(csv.DictReader(open(sys.argv[1])))
for row in source:
    row["time"] = datetime.datetime.fromisoformat(row["TX_DATETIME"])
    row["bank"] = next(n for n in range(1, 11) if int(row["TERMINAL_ID"]) < n * (n + 1) // 2)
start = source[0]["time"]
made = [list(csv.DictReader(open(f"{sys.argv[2]}/{name}transactions.csv"))) for name in ("", "test/")]
assert [len(part) for part in made] == [14 * 20, 7 * 20]
for row, found in zip(source[7 * 20:], made[0] + made[1]):
    def before(key, delay, days):
        return [other for other in source if other[key] == row[key] and other["bank"] == row["bank"]
                and row["time"] - (delay + days) * day < other["time"] <= row["time"] - delay * day]
    assert int(found["bank"]) == row["bank"] and found["fraud"] == row["TX_FRAUD"]
    for days in 1, 7:
        mine, there = before("CUSTOMER_ID", 0, days), before("TERMINAL_ID", 7, days)
        mean = sum(float(other["TX_AMOUNT"]) for other in mine) / len(mine)
        risk = sum(int(other["TX_FRAUD"]) for other in there) / len(there) if there else 0
        assert int(found[f"customer_count_{days}d"]) == len(mine), (row, found)
        assert abs(float(found[f"customer_mean_{days}d"]) - mean) < 1e-4, (row, found)
        assert int(found[f"terminal_count_{days}d"]) == len(there), (row, found)
        assert abs(float(found[f"terminal_risk_{days}d"]) - risk) < 1e-5, (row, found)
CHECK
simulate fraud
said "all rounds done after 2 rounds; 10 clients" "test set"
