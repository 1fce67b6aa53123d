/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tests of llhttp (tests/data/http1, under the licence that is there), as they are read. */
#ifndef SWITCHGEAR_TESTS_UNIT_HTTP1_VECTORS_H
#define SWITCHGEAR_TESTS_UNIT_HTTP1_VECTORS_H

#include <stdbool.h>

#include "base/buf.h"

struct http1_vector {
	char file[48];
	char name[96];
	bool answers;   /* else requests */
	bool lenient;   /* of a mode that we do not have */
	bool finish;    /* the connection ends behind it */
	bool skip_body; /* whoever reads says that there is none */
	struct buf input;
	struct buf log; /* what llhttp tells */
};

/* Reads all into a list of the caller's; *ret_n of them. Ends the test if something is missing. */
struct http1_vector *http1_vectors_read(size_t *ret_n);
void http1_vectors_free(struct http1_vector *v, size_t n);

/* What llhttp tells, in the words of http1_transcript.h. */
void http1_vector_transcript(const struct http1_vector *v, struct buf *out);
/* The same bytes, with a Host behind the first line of each request of HTTP/1.1 that lacks one. */
void http1_vector_with_host(const struct http1_vector *v, struct buf *out);

#endif
