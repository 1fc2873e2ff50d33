#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_pages.sh: run the blocks of a page that begin with ```sh run, one after the other in one
# shell, and compare what they print with the page's ```text blocks: each line of those must be
# printed, where digits and what stands behind an ellipsis may differ.
#   test_pages.sh PROGRAMS SOURCES WORK_FOLDER PAGE
set -eu
programs=$1 sources=$2 work=$3 page=$2/$4
rm -rf "$work"
mkdir -p "$work"
ln -s "$sources/examples" "$work/examples"
cd "$work"

blocks() { awk -v from="\`\`\`$1" '$0 == from { on = 1; next } /^```/ { on = 0 } on' "$page"; }
digits() { sed -e 's/train_s=[^ ]*//' -e 's/[0-9][0-9.]*/0/g' -e 's/ [kM]B/ B/g' -e 's/  */ /g'; }

# A port that is free now.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
{
  # shellcheck disable=SC2016 # for the shell that runs the commands
  echo 'set -eu; trap '"'status=\$?; kill \$(jobs -p) 2>/dev/null || :; wait; exit \$status' EXIT"
  blocks 'sh run' | sed "s/8443/$port/g"
} >commands
grep -q fed commands
if ! PATH=$programs:$PATH bash commands >output 2>&1; then
  cat output
  echo "$4: a command failed; the last lines above say which" >&2
  exit 1
fi

blocks text | sed '/…/d' | digits | sort -u >promised
digits <output | sort -u >printed
if ! comm -23 promised printed | sed 's/^/the page promises, but nothing printed: /' | grep .; then
  exit 0
fi
cat output
exit 1
