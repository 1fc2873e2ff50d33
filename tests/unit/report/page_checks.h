/* SPDX-License-Identifier: Apache-2.0
 *
 * page_checks.h: looking at a page: what it says, and that it is well-formed, needs nothing from
 * elsewhere and has numbers where numbers stand.
 */
#ifndef FED_TESTS_PAGE_CHECKS_H
#define FED_TESTS_PAGE_CHECKS_H

#include <stdio.h>
#include <string.h>

#define NBSP "\xc2\xa0"

static inline void assert_says(const char *page, const char *words) {
  if (!strstr(page, words)) fail_msg("the page does not say '%s'", words);
}

static inline void assert_lacks(const char *page, const char *words) {
  if (strcasestr(page, words)) fail_msg("the page says '%s'", words);
}

static inline int is_entity(const char *at) {
  static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
  for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
    if (strncmp(at, entities[i], strlen(entities[i])) == 0) return 1;
  return 0;
}

/* Skip name="value" pairs; returns the '>' that ends the tag. */
static inline const char *skip_attributes(const char *at) {
  int quoted = 0;
  for (; *at && (quoted || *at != '>'); at++) {
    if (*at == '"') quoted = !quoted;
    if (*at == '<') fail_msg("'<' within a tag: %.60s", at);
    if (*at == '&' && !is_entity(at)) fail_msg("a bare '&' in a tag: %.60s", at);
  }
  assert_int_equal(*at, '>');
  return at;
}

/* Tags nest, attributes are quoted, '&' begins an entity, no character that XML excludes. */
static inline void assert_well_formed(const char *page) {
  char open[32][16] = {""};
  size_t depth = 0;
  assert_int_equal(strncmp(page, "<!DOCTYPE html>", 15), 0);
  for (const char *at = page + 15; *at; at++) {
    if ((unsigned char)*at < 0x20 && *at != '\n') fail_msg("a control character: %.60s", at);
    if (*at == '&' && !is_entity(at)) fail_msg("a bare '&': %.60s", at);
    if (*at != '<') continue;
    char name[16];
    const int closes = at[1] == '/';
    assert_int_equal(sscanf(at + 1 + closes, "%15[a-z0-9]", name), 1);
    const char *end = skip_attributes(at + 1);
    if (closes) {
      assert_true(depth > 0);
      if (strcmp(open[--depth], name) != 0) fail_msg("</%s> ends <%s>", name, open[depth]);
    } else if (end[-1] != '/') {
      assert_true(depth < 32);
      memcpy(open[depth++], name, sizeof name);
    }
    at = end;
  }
  assert_int_equal(depth, 0);
}

static inline void assert_self_contained(const char *page) {
  static const char *const words[] = {"http",    "<script", "src=", "href",  "url(",
                                      "@import", "<iframe", "<img", "onload"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) assert_lacks(page, words[i]);
}

/* Neither NAN nor INFINITY as printf writes them, wherever a number may stand. */
static inline void assert_numbers_are_numbers(const char *page) {
  static const char *const words[] = {">nan",  ">-nan", "\"nan", "\"-nan", " nan", ">inf",
                                      "\"inf", "-inf",  " inf",  "Mnan",   "Lnan"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strstr(page, words[i]) && strncmp(strstr(page, words[i]), " information", 12) != 0)
      fail_msg("the page has '%s'", words[i]);
}

static inline void assert_fine(const char *page) {
  assert_well_formed(page);
  assert_self_contained(page);
  assert_numbers_are_numbers(page);
}

#endif
