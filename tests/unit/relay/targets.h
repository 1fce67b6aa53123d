/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What agents say to the relay in its tests, and targets that answer it. */
#ifndef SWITCHGEAR_TESTS_UNIT_RELAY_TARGETS_H
#define SWITCHGEAR_TESTS_UNIT_RELAY_TARGETS_H

#include "unit/relay/rig.h"

#define CALL(id, tool)                    \
	"{\"jsonrpc\":\"2.0\",\"id\":" id \
	",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool "\"}}"
#define OK "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}"
#define BEGUN                                                                                    \
	"{\"jsonrpc\":\"2.0\",\"id\":\"switchgear-initialize\",\"result\":{\"protocolVersion\":" \
	"\"2025-03-26\",\"capabilities\":{},\"serverInfo\":{\"name\":\"c\",\"version\":\"1\"}}}"
#define INITIALIZE \
	"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}}"
#define SESSION(id) "Mcp-Session-Id: " id "\r\n"

void with_answer(struct rig_conn *c);
/* Sessions "s1", "s2", ...; only the newest one is known. */
extern int begun;
bool is_initialize(const struct rig_conn *c);
void begin_session(struct rig_conn *c);
void with_sessions(struct rig_conn *c);
void with_sessions_of_its_own_words(struct rig_conn *c);
void open_with_sessions(struct rig *r, rig_serve_fn *serve);

#endif
