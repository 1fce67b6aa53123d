/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the parts of a status are written for people; shared by status and show. */
#ifndef SWITCHGEAR_CLI_VIEW_H
#define SWITCHGEAR_CLI_VIEW_H

#include "base/buf.h"
#include "cli/text.h"
#include "core/status.h"

enum colour view_state_colour(const struct status_server *s);
void view_state(const struct status_server *s, struct buf *out);      /* "open, 23 s left" */
void view_quarantine(const struct status_server *s, struct buf *out); /* "59 s left: reason" */
void view_endpoints(const struct status_server *s, size_t most, struct buf *out);

void status_print(const struct status *s, bool coloured, FILE *out);
int servers_print(const struct status *s, bool coloured, FILE *out) MUST_CHECK;

#endif
