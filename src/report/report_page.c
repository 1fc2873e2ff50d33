/* SPDX-License-Identifier: Apache-2.0
 *
 * report_page.c: the order of the page.
 */
#include "report/report.h"

int fed__report_write(const struct fed_context *context, const struct fed__report_input *input,
                      struct fed_buffer *html) {
  (void)context;
  (void)input;
  return fed_buffer_print(html, "<!DOCTYPE html>\n");
}
