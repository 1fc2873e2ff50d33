#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# test_consumer.sh: install into a fresh prefix, then build and run the programs of examples/embed
# against it in the three ways that are offered: find_package, pkg-config, and pkg-config with the
# static library. And what docs/embedding.md quotes first is in the example.
#   test_consumer.sh BUILD_FOLDER WORK_FOLDER
set -eu
build=$1 work=$2
source=$(cd "$(dirname "$0")/../../examples/embed" && pwd)
rm -rf "$work"
mkdir -p "$work"
exec 2>&1

fail() {
  echo "FAILED: $*"
  exit 1
}

# The line of `log` that begins with `when`, without that word.
outcome() { sed -n "s/^$2: //p" "$1"; }

# try PROGRAM…: it learns, the file that it writes has what it learnt, and the same run gives the
# same bytes.
try() {
  "$@" "$source/ring.onnx" "$work/trained.onnx" >"$work/first" || fail "$* does not run"
  "$@" "$source/ring.onnx" "$work/same.onnx" >"$work/same"
  "$@" "$work/trained.onnx" "$work/further.onnx" >"$work/second"
  cat "$work/first"
  cmp "$work/trained.onnx" "$work/same.onnx" || fail "two runs differ"
  cmp -s "$source/ring.onnx" "$work/trained.onnx" && fail "nothing was trained"
  [ "$(outcome "$work/second" before)" = "$(outcome "$work/first" after)" ] ||
    fail "the trained model is not the one that was evaluated"
  right=$(outcome "$work/first" after | sed 's/.*, \([0-9]*\).*/\1/')
  [ "$right" -ge 95 ] || fail "only $right % right after training"
}

# refuse PROGRAM…: bytes that are no model end in a message and the exit status for bad input.
refuse() {
  status=0
  "$@" "$source/Makefile" "$work/none.onnx" >"$work/refused" 2>&1 || status=$?
  cat "$work/refused"
  [ "$status" = 3 ] || fail "exit status $status for a file that is no model, expected 3"
  grep -q 'not an ONNX file' "$work/refused" || fail "the message does not say what is wrong"
}

echo "docs/embedding.md"
awk '/^```$/ { exit } quoting; /^```c$/ { quoting = 1 }' "$source/../../docs/embedding.md" >"$work/quoted"
[ -s "$work/quoted" ] || fail "the page quotes nothing"
while read -r line; do
  sed 's/^ *//' "$source/embed.c" | grep -qxF -- "$line" || fail "embed.c does not say: $line"
done <"$work/quoted"

echo "install"
for component in library development; do
  cmake --install "$build" --prefix "$work/prefix" --component "$component" >"$work/install.log"
done
libraries=$(dirname "$(find "$work/prefix" -name libfed.so.0)")
installed=$(find "$work/prefix" -path '*/doc/libfed-dev/examples/embed')
diff -r "$source" "$installed" || fail "the installed examples differ"

echo "find_package"
cmake -S "$source" -B "$work/cmake" -G Ninja -D CMAKE_PREFIX_PATH="$work/prefix" \
  -D CMAKE_C_FLAGS='-Wall -Wextra -Wpedantic -Werror' \
  -D CMAKE_CXX_FLAGS='-Wall -Wextra -Wpedantic -Werror' >"$work/cmake.log"
cmake --build "$work/cmake" >"$work/cmake.log" || fail "$(cat "$work/cmake.log")"
try "$work/cmake/embed"
try "$work/cmake/embed++"
refuse "$work/cmake/embed"
refuse "$work/cmake/embed++"

PKG_CONFIG_PATH=$libraries/pkgconfig
export PKG_CONFIG_PATH

echo "pkg-config"
cp -r "$source" "$work/make"
make -C "$work/make" >"$work/make.log" || fail "$(cat "$work/make.log")"
try env LD_LIBRARY_PATH="$libraries" "$work/make/embed"
try env LD_LIBRARY_PATH="$libraries" "$work/make/embed++"

echo "pkg-config --static, beside another copy of ONNX's schema"
rm "$libraries"/libfed.so
printf 'int onnx__model_proto__unpack;\nint onnx__node_proto__init;\n' >"$work/make/schema.c"
make -C "$work/make" --always-make CFLAGS='-O2 schema.c' embed STATIC=--static >"$work/make.log" ||
  fail "$(cat "$work/make.log")"
make -C "$work/make" --always-make embed++ STATIC=--static >"$work/make.log" ||
  fail "$(cat "$work/make.log")"
try "$work/make/embed"
try "$work/make/embed++"
