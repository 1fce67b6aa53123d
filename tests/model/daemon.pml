/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon: the windows and the engine of one server (bookkeeping only, no
 * rates), commands, orders. It may die between any two steps, for ever or to
 * start again on the pinned maps and ring. Included by breaker.pml.
 */

/* SG_CMD_READ: the snapshot, time brought up to date before. */
inline read_map()
{
	bring_up();
	atomic { v_generation = generation; v_state = state }
}

/* The engine takes over what the map says. */
inline follow_map()
{
	atomic {
		if
		:: e_generation != v_generation -> e_window = 0
		:: else
		fi;
		e_generation = v_generation;
		e_state = v_state
	}
}

/* engine_transition() */
inline engine_transitions(g, to)
{
	atomic {
		if
#ifdef M_ANY_MOVE
		:: true ->
#else
		:: g > e_generation || (g == e_generation && to == CLOSED && e_state == RAMP) ->
#endif
			if
			:: to == OPEN ->
				assert(gh_opened[g] && !gh_told[g]); /* one trip counts once */
				gh_told[g] = true
			:: else
			fi;
			if
			:: g != e_generation -> e_window = 0
			:: else
			fi;
			e_generation = g;
			e_state = to
		:: else
		fi
	}
}

#define MAY_DIE                                                                \
	if                                                                     \
	:: deaths < DEATHS -> deaths++; goto dead                              \
	:: true                                                                \
	fi

active proctype daemon()
{
	LOCALS;
	byte type, g, x, deaths, orders;

start:	gh_alive = true;
#ifdef M_OLD_STATE
	if
	:: deaths -> /* writes what it last knew over the pinned map */
		atomic { generation = v_generation; state = v_state; due = false }
	:: else
	fi;
#endif
	read_map();
	follow_map();
	atomic { /* nothing that happened without a daemon is lost */
		assert(v_generation != generation || v_state == state || pending || due);
		e_window = 0
	}
end:	do
	:: ring?type, g, x ->
		MAY_DIE;
		if
		:: type == EV_OUTCOME ->
			atomic {
				if
				:: g == e_generation && (e_state == CLOSED || e_state == RAMP) &&
					x == HARD -> e_window++
				:: else
				fi
			}
			if
			:: e_window >= TRIP_CALLS ->
				MAY_DIE;
				bring_up();
				atomic { /* SG_CMD_TRIP */
					if
#ifdef M_TRIP_ANY
					:: (state == CLOSED || state == RAMP) && may_trip ->
#else
					:: g == generation && (state == CLOSED || state == RAMP) &&
						may_trip ->
#endif
						assert(g == generation);
						PENDING;
						enter(OPEN, true);
						moved = true;
						mg = generation;
						ms = state
					:: else
					fi
				}
				if
				:: moved -> EMIT(EV_MOVE, mg, ms); moved = false; mg = 0; ms = 0
				:: else
				fi
			:: else
			fi
		:: type == EV_MOVE ->
			engine_transitions(g, x);
			MAY_DIE;
#ifdef HOLDS
			if
			:: may_trip = false
			:: may_trip = true
			fi;
#endif
			read_map()
		fi;
		atomic { type = 0; g = 0; x = 0 }
	:: lost ->
		lost = false;
		read_map();
#ifndef M_DEAF
		follow_map();
#endif
		MAY_DIE
	:: orders < ORDERS && generation < GENERATIONS ->
		orders++;
		bring_up();
		if
		:: true -> atomic { /* SG_CMD_RESET: of a closed breaker it is no transition */
			moved = state != CLOSED;
			if
			:: moved -> PENDING
			:: else
			fi;
			enter(CLOSED, true);
			mg = generation;
			ms = state
		   }
		:: true -> atomic { /* SG_CMD_ORDER */
			PENDING;
			moved = true;
			enter(FORCED, true);
			mg = generation;
			ms = state
		   }
		fi;
		if
		:: moved -> EMIT(EV_MOVE, mg, ms); MAY_DIE
		:: else ->
#ifndef M_SILENT_RESET
			atomic { /* the command's own answer tells */
				v_generation = mg;
				v_state = ms
			}
			follow_map()
#endif
			skip
		fi;
		moved = false;
		mg = 0;
		ms = 0
	:: atomic { /* nothing under way: the daemon knows what the map says */
		empty(ring) && !pending && !lost && !due ->
		assert(e_generation == generation && e_state == state);
		assert(v_generation == generation && v_state == state)
	   }
	   goto rest
	od;
dead:	gh_alive = false;
	atomic { moved = false; mg = 0; ms = 0; type = 0; g = 0; x = 0 }
	if
	:: goto start
	:: goto gone
	fi;
rest:	/* until something comes */
end_rest:
	if
	:: nempty(ring) || lost || e_generation != generation || e_state != state ->
		goto end
	:: deaths < DEATHS -> deaths++; goto dead
	fi;
gone:	skip
}
