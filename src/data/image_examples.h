/* SPDX-License-Identifier: Apache-2.0
 *
 * image_examples.h: PNG and JPEG files as examples.
 */
#ifndef FED_DATA_IMAGE_EXAMPLES_H
#define FED_DATA_IMAGE_EXAMPLES_H

#include "data/dataset.h"

/* List the images and decode each once, which checks it. At the size that the model wants they stay
 * in memory if they fit; else each is decoded again when a batch wants it. Failures name the file:
 * those of image.h, and FED_E_NOT_FOUND. */
FED_MUST int fed__image_examples_open(const struct fed_context *context, const char *folder,
                                      const struct fed__dataset_schema *schema, uint64_t memory_max,
                                      struct fed_examples **examples);

#endif
