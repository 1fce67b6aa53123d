/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The shared breaker with everything that runs at the same time as it:
 * connections (packet and state hooks), the sweep, the clock, any hook that
 * brings time up to date, and the daemon with its ring. docs/model.md says what
 * is abstracted; tests/model/run says which configurations and mutants exist.
 *
 * An atomic block is a section under a lock, or one load or store. Names that
 * begin with gh_ are of the checks: the modelled code never reads them.
 * A mutant M_... is the model with one protection removed.
 */
#ifndef CONNS
#define CONNS 2
#endif
#ifndef CALLS
#define CALLS 2 /* turns per connection; 0: for ever */
#endif
#ifndef FAILURES
#define FAILURES 2 /* policy.consecutive */
#endif
#ifndef PROBES
#define PROBES 1 /* policy.probes */
#endif
#ifndef HEALED
#define HEALED CLOSED /* RAMP: policy.ramp_ns > 0 */
#endif
#ifndef GENERATIONS
#define GENERATIONS 6 /* no call begins beyond; with CALLS 0 they wrap here */
#endif
#ifndef TRIP_CALLS
#define TRIP_CALLS 2 /* failures in the daemon's window that trip */
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef ORDERS
#define ORDERS 1
#endif

#define CLOSED 0
#define OPEN 1
#define HALF 2
#define RAMP 3
#define FORCED 4

#define SUCCESS 0
#define HARD 1
#define IGNORED 2

#define IDLE 0
#define REQUEST 1

#define EV_OUTCOME 1
#define EV_MOVE 2

#ifdef NO_LIMIT
#define LIMITS false /* nothing but the lease ends a probe */
#else
#define LIMITS true
#endif

/* --- what is shared --------------------------------------------------------- */

byte state = CLOSED;
byte generation = 1;
byte streak, out, ok, failed, neutral;
bool limited; /* half-open: its limit runs, a probe was handed out */
bool due;     /* the deadline of this state is reached */
bool may_trip = true;

typedef flow {
	byte generation;
	byte serial; /* of the turn */
	bool probe;
	bool counted;
	bit phase;
	byte result;       /* M_SHARED_RESULT: the result lies in the flow */
	bool result_probe; /* likewise */
	byte gh_probe;     /* generation of the probe that the flag stands for */
	byte gh_turn;      /* generation in which the current turn was admitted */
};

flow f[CONNS];

byte gh_token[CONNS]; /* probes of this generation that a connection holds */
byte gh_streak;
#ifdef NO_SWEEP
bool gh_alive; /* the daemon, which runs the sweep, is dead for ever */
#else
bool gh_alive = true;
#endif

#ifdef DAEMON
chan ring = [2] of { byte, byte, byte }; /* type; generation; outcome or state */
bool lost; /* since the daemon last asked */
byte pending;          /* emitters between their section and the ring */
byte e_generation = 1; /* the engine's */
byte e_state = CLOSED;
byte e_window;
byte v_generation = 1; /* what the daemon shows */
byte v_state = CLOSED;
bool gh_opened[GENERATIONS + 8]; /* a trip started this generation */
bool gh_told[GENERATIONS + 8];   /* and the engine counted it */

inline emit(type, g, x)
{
	atomic {
		if
		:: nfull(ring) -> ring!type, g, x
		:: full(ring) -> lost = true
		fi;
		pending--
	}
}
#define EMIT(type, g, x) emit(type, g, x)
#define PENDING pending++
#define TELL gh_opened[generation + 1] = true
#else
#define EMIT(type, g, x) skip
#define PENDING skip
#define TELL skip
#endif

/* --- headers/breaker.h; the caller is in an atomic block ---------------------- */

#if CALLS
#define NEXT(g) (g + 1)
#define BUDGET(n) (n < CALLS && generation < GENERATIONS)
#else
#define NEXT(g) ((g + 1) % GENERATIONS)
#define BUDGET(n) (true)
#endif

inline enter(to, fresh)
{
	if
	:: to == OPEN -> TELL
	:: else
	fi;
	if
	:: fresh -> generation = NEXT(generation); streak = 0; gh_streak = 0
	:: else
	fi;
	state = to;
	due = false;
	limited = false;
	out = 0;
	ok = 0;
	failed = 0;
	neutral = 0;
	for (k : 0 .. CONNS - 1) {
		gh_token[k] = 0
	}
	k = 0
}

/* At most one transition that time alone brings; sets `moved`. */
inline tick()
{
	moved = false;
	if
	:: !due
	:: due ->
		moved = true;
		if
		:: state == OPEN -> enter(HALF, true)
		:: state == FORCED -> enter(HALF, true)
		:: state == RAMP -> enter(CLOSED, false)
		:: state == HALF && !failed && neutral -> enter(HEALED, true)
		:: state == HALF && (failed || !neutral) -> enter(OPEN, true)
		:: state == CLOSED -> due = false; moved = false
		fi
	fi
}

inline check_probes()
{
	assert(out + ok + failed <= PROBES);
	assert(state != HALF || limited || !(out + ok + failed));
#if CONNS == 1
	assert(state != HALF || gh_token[0] == out);
#elif CONNS == 2
	assert(state != HALF || gh_token[0] + gh_token[1] == out);
#else
	assert(state != HALF || gh_token[0] + gh_token[1] + gh_token[2] == out);
#endif
}

/* --- bpf/admit.bpf.h ----------------------------------------------------------- */

inline bring_up()
{
	do
	:: !due -> break
	:: due ->
		atomic {
			tick();
			if
			:: moved -> PENDING; mg = generation; ms = state
			:: else
			fi
		}
		if
		:: moved -> EMIT(EV_MOVE, mg, ms); moved = false; mg = 0; ms = 0
		:: else
		fi
	od
}

/* sg_admit: allowed, with_probe, ag. A closed breaker is read without its lock. */
inline admit(i)
{
	allowed = false;
	with_probe = false;
	if
	:: state == CLOSED ->
		ag = generation; /* by now it may be another one's */
		allowed = true
	:: else ->
		bring_up();
		atomic {
			ag = generation;
			if
			:: state == CLOSED || state == RAMP -> allowed = true
			:: state == RAMP /* outside its share */
			:: state == OPEN || state == FORCED
			:: state == HALF && out + ok + failed >= PROBES ->
				assert(limited) /* who is refused here is not refused for ever */
			:: state == HALF && out + ok + failed < PROBES ->
				out++;
#ifndef M_NO_LIMIT
				limited = true;
#endif
				gh_token[i]++;
				allowed = true;
				with_probe = true
			fi;
			check_probes()
		}
	fi
}

/* The flow's fields of an admission. */
inline hold(i)
{
#ifdef M_TWO_STEPS
	f[i].generation = ag;
#endif
	atomic {
		f[i].generation = ag;
		f[i].probe = with_probe;
		if
		:: with_probe -> f[i].gh_probe = ag
		:: else
		fi
	}
	with_probe = false;
	ag = 0
}

/* sg_give_back, if the flow is still in turn `n`. */
inline give_back(i, n, complete)
{
	atomic {
		took = f[i].probe;
#ifndef M_NO_SERIAL
		took = took && f[i].serial == n;
#endif
		if
		:: took -> f[i].probe = false; rg = f[i].generation; gh_g = f[i].gh_probe
		:: else
		fi
	}
	if
	:: took ->
#ifdef M_LATE_GENERATION
		rg = f[i].generation;
#endif
		atomic {
			if
			:: rg == generation && state == HALF && out ->
				assert(gh_g == generation && gh_token[i]);
				out--;
				gh_token[i]--;
				if
				:: complete -> neutral++
				:: else
				fi
			:: else -> assert(!(gh_g == generation && state == HALF))
			fi;
			check_probes();
			took = false;
			rg = 0;
			gh_g = 0
		}
	:: else
	fi
}

/* sg_breaker_outcome; the caller is in an atomic block. */
inline outcome(i, class, held, g, gh_class, gh_held)
{
	gh_decided = false;
	moved = false;
	gh_fresh = gh_g == generation;
	if
#ifdef M_STALE
	:: state == HALF && held && out ->
#else
	:: g == generation && state == HALF && held && out ->
#endif
		gh_decided = true;
		assert(gh_fresh && gh_held && gh_token[i]);
		out--;
		gh_token[i]--;
		if
		:: class == SUCCESS -> ok++
		:: class == HARD -> failed++
		:: class == IGNORED -> neutral++
		fi;
		assert(class == gh_class);
		if
		:: failed -> enter(OPEN, true); moved = true
		:: !failed && ok == PROBES -> enter(HEALED, true); moved = true
		:: else
		fi
#ifdef M_STALE
	:: (state == CLOSED || state == RAMP) ->
#else
	:: g == generation && (state == CLOSED || state == RAMP) ->
#endif
		assert(gh_fresh); /* an older generation changes nothing */
		if
		:: gh_class == SUCCESS -> gh_streak = 0
		:: gh_class == HARD -> gh_streak++
		:: gh_class == IGNORED
		fi;
		if
		:: class == SUCCESS -> streak = 0
		:: class == HARD ->
#ifdef M_NO_LOCK
			streak = old + 1;
#else
			streak++;
#endif
			if
			:: streak >= FAILURES && may_trip -> enter(OPEN, true); moved = true
			:: else
			fi
		:: class == IGNORED
		fi;
		/* enough failures in a row open, unless the daemon forbade it */
		assert(gh_streak < FAILURES || !may_trip)
	:: else
	fi;
	assert(!(gh_held && gh_fresh && state == HALF && !gh_decided && !moved));
	check_probes()
}

/* sg_report, of turn `n` as whoever judged it saw it. */
inline report(i, class, n)
{
#ifdef M_SHARED_RESULT
	f[i].result = class;
	f[i].result_probe = false;
#endif
	atomic {
		took = f[i].probe;
		was = f[i].counted;
#ifndef M_NO_SERIAL
		was = was || f[i].serial != n;
#else
		assert(was || f[i].serial == n); /* no turn answers for another */
#endif
#ifndef M_TWICE
		if
		:: was
		:: else ->
			f[i].counted = true;
			f[i].probe = false
		fi;
#else
		was = false;
#endif
		rg = f[i].generation;
		gh_g = (took -> f[i].gh_probe : f[i].gh_turn)
	}
	if
	:: !was ->
#ifdef M_SHARED_RESULT
		if
		:: took -> f[i].result_probe = true
		:: else
		fi;
#endif
#ifdef M_LATE_GENERATION
		rg = f[i].generation;
#endif
		bring_up();
#ifdef M_NO_LOCK
		old = streak;
#endif
		atomic {
#ifdef M_SHARED_RESULT
			outcome(i, f[i].result, f[i].result_probe, rg, class, took);
#else
			outcome(i, class, took, rg, class, took);
#endif
			PENDING;
			if
			:: moved -> PENDING; mg = generation; ms = state
			:: else
			fi
		}
		EMIT(EV_OUTCOME, rg, class);
		if
		:: moved -> EMIT(EV_MOVE, mg, ms)
		:: else
		fi
	:: else
	fi;
	atomic {
		took = false;
		was = false;
		moved = false;
		gh_decided = false;
		gh_fresh = false;
		rg = 0;
		gh_g = 0;
		mg = 0;
		ms = 0
	}
}

#define LOCALS                                                                 \
	byte k, rg, gh_g, ag, mg, ms, old;                                     \
	bool moved, took, was, allowed, with_probe, gh_decided, gh_fresh

/* --- who runs ------------------------------------------------------------------ */

/* The packet and state hooks of one connection; its socket's lock makes them one. */
proctype connection(byte i)
{
	LOCALS;
	byte calls;
	bool kept;

	do
	:: BUDGET(calls) ->
#if CALLS
		calls++;
#endif
		if
		:: f[i].generation == generation && (f[i].probe || state == CLOSED || state == RAMP) ->
			allowed = true;
			with_probe = f[i].probe
		:: else ->
			admit(i);
			if
			:: allowed -> hold(i)
			:: else
			fi
		fi;
		with_probe = false;
		ag = 0;
		if
		:: !allowed
		:: allowed /* a connect that sends nothing yet: it may hold a probe */
		:: allowed && f[i].probe -> /* connects once more before it was sent */
#ifdef M_GATE
			kept = f[i].probe;
			f[i].probe = kept;
			kept = false;
#endif
			skip
		:: allowed ->
			atomic { /* sg_exchange_begin */
				f[i].serial = (f[i].serial + 1) % 4;
				f[i].counted = false;
				f[i].gh_turn = f[i].generation;
				f[i].phase = REQUEST
			}
			if
			:: give_back(i, f[i].serial, false) /* a neutral request */
			:: report(i, SUCCESS, f[i].serial)
			:: report(i, HARD, f[i].serial)
#ifdef IGNORE
			:: report(i, IGNORED, f[i].serial)
#endif
#ifdef HANGS
			:: true ->
end_silence:			f[i].counted /* until the sweep ends it */
#endif
			fi;
			f[i].phase = IDLE
		fi;
		allowed = false
	:: else -> break
	od
}

#ifndef DAEMON
/* What only the clock ends, found by the walk that the daemon runs. */
active proctype sweep()
{
	LOCALS;
	byte i, n;

end:	do
	:: gh_alive ->
		i = 0;
		do
		:: i < CONNS ->
			atomic { n = f[i].serial; was = f[i].counted }
			if
			:: f[i].phase == IDLE && f[i].probe -> give_back(i, n, false)
#ifndef M_NO_LEASE
			:: f[i].phase == REQUEST && !was -> was = false; report(i, HARD, n)
#endif
#ifdef LIVE
			:: else
#else
			:: true /* not yet due */
#endif
			fi;
			was = false;
			n = 0;
			i++
		:: else -> break
		od;
		i = 0;
#if CALLS
		break
#endif
	od
}
#endif

/* A deadline is reached. */
active proctype clock()
{
end:	do
	:: atomic {
		!due && (state == OPEN || state == RAMP || state == FORCED ||
			 (state == HALF && limited && LIMITS)) -> due = true
	   }
	od
}

#ifndef DAEMON
/* Any hook at all: a refused caller is enough to move time. */
active proctype hook()
{
	LOCALS;

end:	do
	:: due -> bring_up()
	od
}
#else
#include "daemon.pml"
#endif

init
{
	atomic {
		byte i;

		for (i : 0 .. CONNS - 1) {
			run connection(i)
		}
	}
}

#ifdef LIVE
ltl open_ends { [] (state == OPEN -> <> (state == HALF)) }
ltl half_open_ends { [] (state == HALF && limited -> <> (state != HALF)) }
ltl lease_ends { [] (gh_token[0] > 0 -> <> (gh_token[0] == 0)) }
#endif
