#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_examples.sh: the pages' yaml blocks that are whole job files or policies pass the programs'
# checks, and so do the files of examples/; commands that pages name exist.
#   test_examples.sh PROGRAMS SOURCES WORK_FOLDER
set -eu
PATH=$1:$PATH
sources=$2
rm -rf "$3"
mkdir -p "$3"
cd "$3"

# Each yaml block of all pages into a file of its own: block-1.yaml …
cat "$sources"/README.md "$sources"/docs/*.md |
  awk '/^```yaml$/ { on = 1; n++; next } /^```/ { on = 0 } on { print > ("block-" n ".yaml") }'
cp "$sources/examples/fashion/job.yaml" fashion.yaml
cp "$sources/examples/heart/job.yaml" heart.yaml
cp "$sources/examples/fashion/policy.yaml" fashion-policy.yaml
cp "$sources/examples/heart/policy.yaml" heart-policy.yaml
fed model new cnn --out cnn.onnx --quiet
fed model new logreg --input 29 --classes 2 --out heart.onnx --quiet
jobs=0 policies=0
for file in *.yaml; do
  if grep -q '^version:' "$file"; then
    jobs=$((jobs + 1))
    fed job check --quiet "$file"
  elif grep -q '^allow:' "$file" && grep -q '^data:' "$file"; then
    policies=$((policies + 1))
    fed-agent policy "$file" >/dev/null
  fi
done
[ $jobs -ge 4 ] && [ $policies -ge 3 ]

# Every `fed …` and `fed-agent …` at the beginning of a line of a sh block.
cat "$sources"/README.md "$sources"/docs/*.md |
  awk '/^ *```sh/ { on = 1; next } /^ *```/ { on = 0 } on' |
  sed -n 's/^ *\(sudo -u [a-z-]* \)\{0,1\}\(fed\(-agent\)\{0,1\} .*\)/\2/p' >lines
[ "$(wc -l <lines)" -ge 15 ]
while read -r program first second _; do
  if "$program" "$first" --help >help 2>&1 || "$program" "$first" "$second" --help >help 2>&1; then
    continue
  fi
  echo "a page says '$program $first $second', and there is no such command"
  exit 1
done <lines
