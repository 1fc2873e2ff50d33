/* SPDX-License-Identifier: Apache-2.0
 *
 * rule_plain.c: a client that only trains: FedAvg and all that differs from it at the server alone.
 *
 *   y = x; for each batch b of E epochs: y <- y - eta * grad f(y; b); send y - x
 *
 * McMahan, Moore, Ramage, Hampson, Agüera y Arcas: Communication-efficient learning of deep
 * networks from decentralized data (AISTATS 2017), algorithm 1, ClientUpdate.
 */
#include "train/rules/client_rule.h"

const struct fed__client_rule fed__rule_plain = {.name = "plain"};
