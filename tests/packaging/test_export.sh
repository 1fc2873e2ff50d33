#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_export.sh: what the package fed-server installs of fed-export is whole: the program is a link
# that leads, also below another root, to the Python files, all of them, and they run from there.
#   test_export.sh BUILD_FOLDER WORK_FOLDER
set -eu
build=$1 work=$2
source=$(cd "$(dirname "$0")/../../python" && pwd)
rm -rf "$work"
mkdir -p "$work"
exec 2>&1

fail() {
  echo "FAILED: $*"
  exit 1
}

DESTDIR=$work cmake --install "$build" --component fed-server >"$work/install.log"
program=$(find "$work" -path '*/bin/fed-export')
[ -L "$program" ] || fail "expected a link fed-export, found '$program'"
installed=$(dirname "$(readlink -f "$program")")
diff -r --exclude=__pycache__ "$source" "$installed" || fail "the installed Python files differ"

# With PyTorch it explains its options, without it what to install.
status=0
"$program" --help >"$work/said" 2>&1 || status=$?
cat "$work/said"
[ "$status" = 0 ] || grep -q 'pip install torch' "$work/said" || fail "fed-export does not run"
