# SPDX-License-Identifier: Apache-2.0
#
# test_rules.py: each house rule accepts a tree that keeps it and names the place in one that
# breaks it. A rule that cannot fail would be worth nothing.
#   python3 tests/rules/test_rules.py
import json
import os
import subprocess
import tempfile
import unittest

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
HEAD = "/* SPDX-License-Identifier: Apache-2.0\n *\n * {}: an example.\n */\n"
FUNCTION = "int fed__example(void) {\n%s  return 0;\n}\n"


def c_text(path, body=""):
    return HEAD.format(os.path.basename(path)) + body


class RuleTest(unittest.TestCase):
    def complaints(self, rule, tree, *arguments):
        """What the rule prints about a tree given as {path: text}; "" if it accepts it."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in tree.items():
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as stream:
                    stream.write(text)
            with open(os.path.join(root, ".clang-format"), "w", encoding="utf-8") as stream:
                stream.write("BasedOnStyle: LLVM\n")
            run = subprocess.run([os.path.join(TOOLS, rule), "--root", root, *arguments], cwd=root,
                                 capture_output=True, text=True)
            self.assertEqual(run.stderr, "")
            self.assertEqual(run.returncode, 1 if run.stdout else 0)
            return run.stdout

    def accepts(self, rule, tree, *arguments):
        self.assertEqual(self.complaints(rule, tree, *arguments), "")

    def refuses(self, rule, tree, place, *arguments):
        self.assertIn(place, self.complaints(rule, tree, *arguments))


class Includes(RuleTest):
    def one(self, path, include):
        return {path: c_text(path, f"#include {include}\n")}

    def test_accepts(self):
        for path, include in (("src/round/a.c", '"base/b.h"'), ("src/round/a.c", '"round/b.h"'),
                              ("src/tensor/a.c", '"fed/b.h"'), ("src/crypto/a.c", "<sodium.h>"),
                              ("src/crypto/a.c", "<openssl/evp.h>"),
                              ("src/net/a.c", "<microhttpd.h>"), ("src/base/a.c", "<stdio.h>"),
                              ("src/train/kernels/onednn/a.c", "<oneapi/dnnl/dnnl.h>"),
                              ("src/train/a.c", '"onnx.pb-c.h"')):
            self.accepts("check_includes", self.one(path, include))

    def test_refuses(self):
        for path, include in (("src/base/a.c", '"tensor/b.h"'), ("src/tensor/a.c", '"crypto/b.h"'),
                              ("src/net/a.c", '"store/b.h"'), ("src/round/a.c", '"programs/b.h"'),
                              ("src/agent/a.c", '"server/b.h"'), ("src/base/a.c", '"b.h"'),
                              ("src/base/a.c", '"../tensor/b.h"'), ("src/round/a.c", "<sodium.h>"),
                              ("src/server/a.c", "<openssl/ssl.h>"), ("src/crypto/a.c", "<gnutls/x509.h>"),
                              ("src/agent/a.c", "<curl/curl.h>"), ("src/server/a.c", "<microhttpd.h>"),
                              ("src/round/a.c", "<sqlite3.h>"), ("src/train/a.c", "<dnnl.h>"),
                              ("src/data/a.c", '"onnx.pb-c.h"'), ("src/round/a.c", '"fed.pb-c.h"'),
                              ("src/round/a.c", "<libfyaml.h>"), ("include/fed/a.h", '"base/b.h"')):
            with self.subTest(path=path, include=include):
                self.refuses("check_includes", self.one(path, include), f"{path}:5: ")

    def test_refuses_an_unknown_folder(self):
        self.refuses("check_includes", {"src/utils/a.c": c_text("a.c")}, "src/utils/a.c: ")


class Size(RuleTest):
    def function(self, lines):
        return {"src/base/a.c": c_text("a.c", FUNCTION % ("  work();\n" * (lines - 3)))}

    def test_functions(self):
        small = FUNCTION % ""
        self.accepts("check_size", self.function(15))
        body = (FUNCTION % ("  work();\n" * 67)) + small
        self.accepts("check_size", {"src/base/a.c": c_text("a.c", body + small)})
        body = (FUNCTION % ("  work();\n" * 68)) + small
        self.refuses("check_size", {"src/base/a.c": c_text("a.c", body + small)}, "a.c:5: fed__example has 71")

    def test_functions_of_every_layout(self):
        lines = "  work();\n" * 70
        for head in ("static void *long_name(int a,\n                       int b) {\n",
                     "struct fed_x *\nfed_x_new(int a) {\n", "static inline int one(void) {\n",
                     "int two(void (*call)(int), int b[2]) {\n"):
            with self.subTest(head=head):
                self.refuses("check_size", {"src/base/a.c": c_text("a.c", head + lines + "}\n")},
                             "has 7")

    def test_tables_are_not_functions(self):
        body = "const int table[] = {\n" + "    0,\n" * 100 + "};\n" + FUNCTION % ""
        self.accepts("check_size", {"src/base/a.c": c_text("a.c", body)})

    def test_median(self):
        self.refuses("check_size", self.function(16), "the median function has 16")

    def test_files(self):
        self.accepts("check_size", {"src/base/a.c": c_text("a.c", "\n" * 596)})
        self.refuses("check_size", {"src/base/a.c": c_text("a.c", "\n" * 597)}, "a.c: 601 lines")

    def test_names(self):
        self.refuses("check_size", {"src/base/a.c": c_text("a.c"), "src/round/a.c": c_text("a.c")},
                     "src/round/a.c: has the same name")

    def test_comments(self):
        documented = "/* What it is. */\nint fed_a(void);\n"
        self.accepts("check_size", {"include/fed/a.h": c_text("a.h", documented * 20)})
        self.refuses("check_size", {"include/fed/a.h": c_text("a.h", "int fed_a(void);\n" * 20)},
                     "include/fed/a.h: 4 lines of comment for 20")


class Banned(RuleTest):
    def one(self, line, path="src/base/a.c"):
        return {path: c_text(path, line + "\n")}

    def test_accepts(self):
        for line in ("int a = strnlen(b, 3);", "/* malloc(3), time(0) */", 'x("atoi(b)");',
                     "context->clock->time(self);", "#include <time.h>", "snprintf(a, 3, b);",
                     "free(text); /* jansson's */", "run_time(1);", 'mkstemp("a.XXXXXX");'):
            with self.subTest(line=line):
                self.accepts("check_banned", self.one(line))
        self.accepts("check_banned", self.one("free(a);", "src/base/system.c"))
        self.accepts("check_banned", self.one('printf("a");', "src/programs/a.c"))

    def test_refuses(self):
        for name in ("malloc", "free", "realloc", "strcpy", "strcat", "sprintf", "atoi", "strtok",
                     "rand", "time", "assert", "exit", "abort", "printf"):
            with self.subTest(name=name):
                self.refuses("check_banned", self.one(f"a = {name} (b);"), f"a.c:5: {name}()")
        self.refuses("check_banned", self.one("strcpy(a, b);", "tests/unit/base/a.c"), "strcpy()")

    def test_unfinished(self):
        for word in ("TO" "DO", "FIX" "ME", "X" "XX"):
            self.refuses("check_banned", self.one(f"/* {word}: later */"), "a.c:5: finish it")
            self.refuses("check_banned", {"docs/a.md": f"# A\n{word}\n"}, "docs/a.md:2: finish it")

    def test_heads(self):
        self.refuses("check_banned", {"src/base/a.c": "int a;\n"}, "a.c:1: the first line")
        self.refuses("check_banned", {"src/base/a.c": c_text("b.c")}, "a.c:3: the third line")
        self.refuses("check_banned", {"tools/a": "#!/bin/sh\n"}, "tools/a:1: the first line")


class Headers(RuleTest):
    def test_accepts(self):
        self.accepts("check_headers", {"include/fed/a.h": "#include <stddef.h>\nsize_t fed_a(void);\n"})

    def test_refuses_what_does_not_stand_alone(self):
        self.refuses("check_headers", {"include/fed/a.h": "size_t fed_a(void);\n"}, "fed/a.h: ")

    def test_refuses_what_only_c_understands(self):
        found = self.complaints("check_headers", {"include/fed/a.h": "int fed_a(int class);\n"})
        self.assertIn("as c++17", found)
        self.assertNotIn("as c11", found)


class Format(RuleTest):
    def test_c(self):
        self.accepts("check_format", {"src/base/a.c": "int a;\n"})
        self.refuses("check_format", {"src/base/a.c": "int   a;\n"}, "src/base/a.c: ")

    def test_shell(self):
        self.accepts("check_format", {"tools/a": '#!/bin/sh\necho "$1"\n'})
        self.refuses("check_format", {"tools/a": "#!/bin/sh\necho $1\n"}, "tools/a:2:6: ")


class Tidy(RuleTest):
    def test_tidy(self):
        for code, complaint in (("int a(void) { return 0; }\n", ""),
                                ("int a(int *b) { if (!b) return *b; return 0; }\n",
                                 "src/base/a.c:1: ")):
            with tempfile.TemporaryDirectory() as root:
                path = os.path.join(root, "src/base/a.c")
                os.makedirs(os.path.dirname(path))
                with open(path, "w", encoding="utf-8") as stream:
                    stream.write(code)
                with open(os.path.join(root, "compile_commands.json"), "w") as stream:
                    json.dump([{"directory": root, "file": path, "command": f"cc -c {path}"}], stream)
                with open(os.path.join(root, ".clang-tidy"), "w", encoding="utf-8") as stream:
                    stream.write("Checks: '-*,clang-analyzer-*'\nWarningsAsErrors: '*'\n")
                run = subprocess.run([os.path.join(TOOLS, "check_tidy"), "--root", root, root],
                                     capture_output=True, text=True)
                self.assertEqual((run.returncode, run.stderr), (1 if complaint else 0, ""))
                self.assertTrue(run.stdout.startswith(complaint), run.stdout)
                self.assertEqual(run.stdout == "", complaint == "")


class Docs(RuleTest):
    LIST = "#define FED_ERROR_LIST(X) \\\n  X(SHAPE, INPUT, 2, \"wrong shape\")\n"

    def test_links(self):
        tree = {"README.md": "# A b\n[x](docs/y.md#the-part) [z](#a-b) [w](https://nowhere.example)\n",
                "docs/y.md": "## The `part`\n```\n[no](link.md)\n```\n"}
        self.accepts("check_docs", tree)
        for link in ("gone.md", "docs/y.md#gone", "#gone"):
            self.refuses("check_docs", {**tree, "B.md": f"\n[x]({link})\n"}, "B.md:2: ")

    def test_errors(self):
        tree = {"include/fed/error.h": self.LIST}
        self.accepts("check_docs", {**tree, "docs/errors.md": "| SHAPE | wrong |\n"})
        self.refuses("check_docs", {**tree, "docs/errors.md": "| RESHAPED |\n"}, "explains SHAPE")


class Symbols(RuleTest):
    TREE = {"include/fed/a.h": "FED_API int fed_a(void);\nFED_API FED_MUST void *\nfed_b(int c);\n"}

    def libraries(self, folder, shared, static):
        """A shared library and an archive of this code."""
        library, part = os.path.join(folder, "libx.so"), os.path.join(folder, "x.o")
        archive = os.path.join(folder, "libx.a")
        for words, code in ((["-shared", "-o", library], shared), (["-c", "-o", part], static)):
            subprocess.run(["cc", "-fPIC", *words, "-x", "c", "-"], input=code, text=True, check=True)
        if os.path.exists(archive):
            os.remove(archive)
        subprocess.run(["ar", "rc", archive, part], check=True)
        return library, archive

    def test_exports(self):
        both = "int fed_a(void) { return 0; } void *fed_b(int c) { return 0; }"
        one = "int fed_a(void) { return 0; }"
        with tempfile.TemporaryDirectory() as folder:
            self.accepts("check_symbols", self.TREE, *self.libraries(folder, both, both))
            more = self.libraries(folder, both + "int fed__c;", both)
            self.refuses("check_symbols", self.TREE, "exports fed__c", *more)
            less = self.libraries(folder, one, both)
            self.refuses("check_symbols", self.TREE, "a.h: declares fed_b", *less)
            foreign = self.libraries(folder, both, both + "int onnx__x;")
            self.refuses("check_symbols", self.TREE, "the global name onnx__x", *foreign)
            lacking = self.libraries(folder, both, one)
            self.refuses("check_symbols", self.TREE, "a.h: declares fed_b", *lacking)


if __name__ == "__main__":
    unittest.main()
