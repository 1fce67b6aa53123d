/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the parts of a status are written for people; shared by status and show. */
#ifndef SWITCHGEAR_CLI_VIEW_H
#define SWITCHGEAR_CLI_VIEW_H

#include "base/buf.h"
#include "cli/text.h"
#include "core/status.h"

enum colour view_state_colour(const struct status_server *s);
/* Each writes into b, in place of what is there, and returns its text. */
const char *view_state(const struct status_server *s, struct buf *b);      /* "open, 23 s left" */
const char *view_quarantine(const struct status_server *s, struct buf *b); /* "59 s left: reason" */
const char *view_endpoints(const struct status_server *s, size_t most, struct buf *b);

void status_print(const struct status *s, bool coloured, FILE *out);
int servers_print(const struct status *s, bool coloured, FILE *out) MUST_CHECK;

#endif
