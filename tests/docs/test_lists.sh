#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_lists.sh: docs/operations.md lists every error code with its number and text, and every
# metric; docs/architecture.md lists every folder of src/.
#   test_lists.sh SOURCES
set -eu
cd "$1"
page=docs/operations.md
missing=0

lacks() {
  echo "$1"
  missing=1
}

classes=$(sed -n 's/^ *FED_CLASS_\([A-Z]*\) = \([0-9]*\),.*/\1 \2/p' include/fed/error.h)
sed -n 's/^ *X(\([A-Z_]*\), \([A-Z]*\), \([0-9]*\), "\(.*\)").*/\1 \2 \3 \4/p' include/fed/error.h |
  while read -r name class number text; do
    status=$(echo "$classes" | sed -n "s/^$class //p")
    grep -qF "| $((status * 256 + number)) | \`$name\` | $status | $text |" $page ||
      lacks "$page does not explain $name as: $((status * 256 + number)), status $status, $text"
  done | grep . && missing=1

for metric in $(grep -o '"fed_[a-z_]*"' src/server/server_metrics.c | tr -d '"'); do
  grep -q "^| \`$metric\` |" $page || lacks "$page does not explain $metric"
done
for folder in src/*/; do
  name=$(basename "$folder")
  grep -q "^| \`$name/\` |" docs/architecture.md || lacks "docs/architecture.md has no $name/"
done
exit $missing
