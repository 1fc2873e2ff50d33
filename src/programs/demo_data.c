/* SPDX-License-Identifier: Apache-2.0
 *
 * demo_data.c: Fashion-MNIST, split over the clients by Dirichlet(0.5) over labels: some have
 * mostly shirts, some mostly shoes, and their sizes differ.
 */
#include "base/memory.h"
#include "base/raise.h"
#include "base/rng.h"
#include "data/idx.h"
#include "data/split.h"
#include "programs/demo.h"

#define ALPHA 0.5
#define QUICK_TRAIN 12000
#define QUICK_TEST 2000

struct images {
  struct fed__array pixels, labels;
  size_t count;
};

static int read_images(struct fed__demo *demo, const char *prefix, struct images *images) {
  char name[64];
  const struct fed__array_place place = {demo->context, demo->data_folder, name, NULL, UINT64_MAX};
  snprintf(name, sizeof name, "%s-images-idx3-ubyte", prefix);
  int code = fed__idx_read(&place, &images->pixels);
  snprintf(name, sizeof name, "%s-labels-idx1-ubyte", prefix);
  if (code == FED_OK) code = fed__idx_read(&place, &images->labels);
  if (code == FED_E_NOT_FOUND)
    return FED_RAISE(FED_E_NOT_FOUND,
                     "Fashion-MNIST is not in '%s'; on Debian: apt-get install "
                     "dataset-fashion-mnist",
                     demo->data_folder);
  FED_TRY(code);
  images->count = fed__array_rows(&images->pixels);
  if (images->count != fed__array_rows(&images->labels))
    return FED_RAISE(FED_E_SHAPE, "'%s': %zu images but %zu labels", prefix, images->count,
                     fed__array_rows(&images->labels));
  return FED_OK;
}

static void clear_images(struct images *images) {
  if (images->pixels.context) fed__array_clear(&images->pixels);
  if (images->labels.context) fed__array_clear(&images->labels);
}

static int write_rows(const struct images *images, const char *folder, const uint32_t *rows,
                      size_t count) {
  char path[FED__PATH_MAX];
  FED_TRY(fed__folder_make(folder));
  FED_TRY(fed__path_join(path, sizeof path, folder, "images.idx"));
  FED_TRY(fed__idx_write(path, &images->pixels, rows, count));
  FED_TRY(fed__path_join(path, sizeof path, folder, "labels.idx"));
  return fed__idx_write(path, &images->labels, rows, count);
}

/* The rows of one client, and what labels they have. */
static size_t rows_of(struct fed__demo *demo, const int64_t *labels, const uint32_t *client_of,
                      size_t count, uint32_t client, uint32_t *rows) {
  struct fed__demo_client *entry = &demo->clients[client];
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    if (client_of[i] != client) continue;
    entry->label_counts[labels[i]]++;
    rows[kept++] = (uint32_t)i;
  }
  entry->example_count = kept;
  return kept;
}

static int write_clients(struct fed__demo *demo, const struct images *images, const int64_t *labels,
                         const uint32_t *client_of, size_t count, uint32_t *rows) {
  char folder[FED__PATH_MAX];
  for (uint32_t client = 0; client < FED__DEMO_CLIENTS; client++) {
    const size_t kept = rows_of(demo, labels, client_of, count, client, rows);
    fed__demo_path(demo, folder, "agents/client-%u/data", client + 1);
    FED_TRY(write_rows(images, folder, rows, kept));
  }
  return FED_OK;
}

static int split(struct fed__demo *demo, const struct images *images, size_t count, int64_t *labels,
                 uint32_t *client_of, uint32_t *rows) {
  FED_TRY(fed__array_integers(&images->labels, 0, count, labels));
  const struct fed__split_dirichlet options = {.labels = labels,
                                               .count = count,
                                               .classes = FED__DEMO_CLASSES,
                                               .clients = FED__DEMO_CLIENTS,
                                               .alpha = ALPHA,
                                               .client_min = count / 200,
                                               .seed = demo->seed};
  FED_TRY(fed__split_dirichlet(demo->context, &options, client_of));
  return write_clients(demo, images, labels, client_of, count, rows);
}

static int split_train(struct fed__demo *demo) {
  struct images images = {0};
  int code = read_images(demo, "train", &images);
  const size_t count = demo->quick && images.count > QUICK_TRAIN ? QUICK_TRAIN : images.count;
  int64_t *labels = fed__zalloc(demo->context, count, sizeof *labels);
  uint32_t *client_of = fed__zalloc(demo->context, count, sizeof *client_of);
  uint32_t *rows = fed__zalloc(demo->context, count, sizeof *rows);
  if (code == FED_OK)
    code = labels && client_of && rows ? split(demo, &images, count, labels, client_of, rows)
                                       : FED_E_MEMORY;
  fed__free(demo->context, labels);
  fed__free(demo->context, client_of);
  fed__free(demo->context, rows);
  clear_images(&images);
  return code;
}

static int write_test(struct fed__demo *demo) {
  struct images images = {0};
  char folder[FED__PATH_MAX];
  int code = read_images(demo, "t10k", &images);
  const size_t count = demo->quick && images.count > QUICK_TEST ? QUICK_TEST : images.count;
  uint32_t *rows = fed__zalloc(demo->context, count, sizeof *rows);
  if (code == FED_OK && !rows) code = FED_E_MEMORY;
  for (size_t i = 0; rows && i < count; i++) rows[i] = (uint32_t)i;
  fed__demo_path(demo, folder, "federation/test");
  if (code == FED_OK) code = write_rows(&images, folder, rows, count);
  fed__free(demo->context, rows);
  clear_images(&images);
  return code;
}

int fed__demo_split_data(struct fed__demo *demo) {
  FED_TRY(split_train(demo));
  return write_test(demo);
}
